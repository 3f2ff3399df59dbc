/** Where a test may have this process killed. */
export type FailPoint = 'before-do' | 'after-do' | 'before-journal' | 'after-journal' | 'before-undo' | 'after-undo';

/** Kills the process, as a power cut would, when `NESTACK_FAILPOINT` names this place: `server.create/spawn:after-do`. */
export function failPoint(kind: string, node: string, point: FailPoint): void {
  const wanted = process.env['NESTACK_FAILPOINT'];
  if (wanted !== undefined && wanted === `${kind}/${node}:${point}`) process.kill(process.pid, 'SIGKILL');
}
