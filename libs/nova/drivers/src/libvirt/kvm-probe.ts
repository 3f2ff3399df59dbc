import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import { tryRun } from '@nestack/kernel/process';

const PROBE_MS = 15_000;
/** What the guest image's first stage prints when its kernel's command line has `guestprobe`. */
const REACHED = 'probe reached user space';

export interface ProbeOptions {
  /** Where the answer is kept until the machine boots anew. */
  readonly dir: string;
  readonly emulator: string;
  readonly kernel: string | null;
  readonly initrd: string | null;
}

/**
 * Whether guests really run under KVM here: a kernel is booted with it to its user space. That /dev/kvm can be opened
 * proves nothing: on machines that are guests themselves it may run the firmware and hang in the kernel.
 */
export async function kvmWorks(options: ProbeOptions, log: Logger): Promise<boolean> {
  const said = (works: boolean, reason: string): boolean => {
    log.info(null, 'kvm.probed', { works, reason });
    return works;
  };
  if (!existsSync('/dev/kvm')) return said(false, 'there is no /dev/kvm');
  const { kernel, initrd } = options;
  if (kernel === null || initrd === null || !existsSync(kernel) || !existsSync(initrd))
    return said(false, 'there is no kernel to try it with');
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const cache = path.join(options.dir, 'kvm-probe.json');
  const kept = await readFile(cache, 'utf8').then(
    (text) => JSON.parse(text) as { boot_id?: string; works?: boolean },
    () => null,
  );
  if (kept?.boot_id === bootId && typeof kept.works === 'boolean')
    return said(kept.works, 'as found since the last boot');
  const result = await tryRun(
    options.emulator,
    [
      ...['-machine', 'pc,accel=kvm', '-cpu', 'host', '-m', '192', '-nodefaults', '-display', 'none', '-no-reboot'],
      ...['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 guestprobe panic=-1', '-serial', 'stdio'],
    ],
    { timeoutMs: PROBE_MS },
  );
  const works = result.stdout.includes(REACHED);
  await writeFile(cache, JSON.stringify({ boot_id: bootId, works }));
  return said(works, works ? 'a guest booted' : `no guest booted: ${result.stderr.trim().slice(0, 300)}`);
}
