import { createHmac, timingSafeEqual } from 'node:crypto';
import { NovaError } from '@nestack/nova/contract';
import type { HypervisorDriver, VncDisplay } from '../ports';

const PATH = /^([0-9a-f-]{36})\.([0-9a-f]{64})$/;

/**
 * The screens of one host's guests, each behind a path that nobody can guess. The path is made from the host's key, the guest and
 * its present run: what was given out for an earlier run, or on another host, leads nowhere. Nothing has to be remembered.
 */
export class GuestScreens {
  constructor(
    private readonly driver: Pick<HypervisorDriver, 'vncDisplay'>,
    /** The host's own, of 32 bytes. */
    private readonly key: Buffer,
  ) {}

  /** The path to a guest's screen. Throws ConsoleNotReady when it has none now. */
  async pathOf(uuid: string): Promise<string> {
    const display = await this.driver.vncDisplay(uuid);
    if (display === null) throw NovaError.ConsoleNotReady({ instance_id: uuid });
    return `${uuid}.${this.proof(uuid, display.run).toString('hex')}`;
  }

  /** The screen behind a path; null when there is none (any more). */
  async at(path: string): Promise<{ readonly uuid: string; readonly display: VncDisplay } | null> {
    const [, uuid = '', proof = ''] = PATH.exec(path) ?? [];
    if (uuid === '') return null;
    const display = await this.driver.vncDisplay(uuid);
    if (display === null || !timingSafeEqual(this.proof(uuid, display.run), Buffer.from(proof, 'hex'))) return null;
    return { uuid, display };
  }

  private proof(uuid: string, run: string): Buffer {
    return createHmac('sha256', this.key).update(`${uuid} ${run}`).digest();
  }
}
