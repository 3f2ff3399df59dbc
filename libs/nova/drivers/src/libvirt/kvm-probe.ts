import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import { tryRun } from '@nestack/kernel/process';

const PROBE_MS = 10_000;
/** What the guest image's first stage prints when its kernel's command line has `guestprobe`. */
const REACHED = 'probe reached user space';

export interface ProbeOptions {
  /** Where the answer is kept until the machine boots anew. */
  readonly dir: string;
  readonly emulator: string;
  readonly kernel: string | null;
  readonly initrd: string | null;
}

interface Answer {
  readonly works: boolean;
  readonly reason: string;
}

/**
 * Whether guests really run under KVM here: a kernel is booted with it to its user space, once per boot of the host. That
 * /dev/kvm can be opened proves nothing: on machines that are guests themselves it may run the firmware and hang in the
 * kernel.
 */
export class KvmProbe {
  private answer: Promise<boolean> | null = null;

  constructor(
    private readonly options: ProbeOptions,
    private readonly log: Logger,
  ) {}

  /** Asks once; but as long as there is no kernel to try it with, the next caller asks again. */
  works(): Promise<boolean> {
    if (this.answer !== null) return this.answer;
    if (existsSync('/dev/kvm') && !this.hasKernel()) return Promise.resolve(false);
    this.answer = this.find().then(({ works, reason }) => {
      this.log.info(null, 'kvm.probed', { works, reason });
      return works;
    });
    return this.answer;
  }

  private hasKernel(): boolean {
    const { kernel, initrd } = this.options;
    return kernel !== null && initrd !== null && existsSync(kernel) && existsSync(initrd);
  }

  private async find(): Promise<Answer> {
    if (!existsSync('/dev/kvm')) return { works: false, reason: 'there is no /dev/kvm' };
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const file = path.join(this.options.dir, 'kvm-probe.json');
    const kept = await keptAnswer(file, boot);
    if (kept !== null) return kept;
    const answer = await this.boot();
    await writeFile(file, JSON.stringify({ boot, ...answer }));
    return answer;
  }

  private async boot(): Promise<Answer> {
    const { emulator, kernel, initrd } = this.options;
    const result = await tryRun(
      emulator,
      [
        ...['-machine', 'pc,accel=kvm', '-cpu', 'host', '-m', '192', '-nodefaults', '-display', 'none', '-no-reboot'],
        ...['-kernel', kernel ?? '', '-initrd', initrd ?? ''],
        ...['-append', 'console=ttyS0 guestprobe panic=-1', '-serial', 'stdio'],
      ],
      { timeoutMs: PROBE_MS },
    );
    if (result.stdout.includes(REACHED)) return { works: true, reason: 'a guest booted' };
    return { works: false, reason: `no guest booted: ${result.stderr.trim().slice(0, 300)}` };
  }
}

async function keptAnswer(file: string, boot: string): Promise<Answer | null> {
  try {
    const kept = JSON.parse(await readFile(file, 'utf8')) as Partial<Answer> & { readonly boot?: string };
    if (kept.boot !== boot || typeof kept.works !== 'boolean') return null;
    return { works: kept.works, reason: `${kept.reason ?? ''} (as found since the last boot)` };
  } catch {
    // None yet, or one that was cut while it was written: the machine is asked anew.
    return null;
  }
}
