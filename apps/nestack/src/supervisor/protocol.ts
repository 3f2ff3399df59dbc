import { createConnection } from 'node:net';
import type { DaemonSpec } from '@nestack/kernel/process';

/** A process that the supervisor keeps running. */
export interface ProcessSpec extends DaemonSpec {
  readonly name: string;
  /** What it was built from: `ensure` restarts it when this has changed. */
  readonly version?: string;
}

export interface ProcessStatus {
  readonly name: string;
  readonly state: 'running' | 'backoff' | 'stopped';
  readonly pid: number | null;
  readonly since: string;
  readonly restarts: number;
  readonly lastExit: string | null;
}

export type SupervisorRequest =
  | { readonly op: 'status' }
  | { readonly op: 'ensure'; readonly spec: ProcessSpec }
  | { readonly op: 'stop'; readonly name: string }
  | { readonly op: 'remove'; readonly name: string }
  | { readonly op: 'shutdown' };

export type SupervisorAnswer =
  | {
      readonly ok: true;
      readonly pid: number;
      readonly processes: readonly ProcessStatus[];
      readonly started?: boolean;
    }
  | { readonly ok: false; readonly error: string };

/** Asks the supervisor at a socket; rejects with ENOENT or ECONNREFUSED when none runs there. */
export function askSupervisor(
  socketPath: string,
  request: SupervisorRequest,
  timeoutMs = 120_000,
): Promise<Extract<SupervisorAnswer, { ok: true }>> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () =>
      socket.destroy(new Error(`the supervisor did not answer '${request.op}' in time`)),
    );
    socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('data', (data: string) => (text += data));
    socket.once('error', reject);
    socket.once('close', () => {
      try {
        const answer = JSON.parse(text) as SupervisorAnswer;
        if (answer.ok) resolve(answer);
        else reject(new Error(answer.error));
      } catch (error) {
        reject(new Error('the supervisor ended before it answered', { cause: error }));
      }
    });
  });
}
