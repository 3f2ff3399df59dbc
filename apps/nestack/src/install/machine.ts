import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { tryRun } from '@nestack/kernel/process';

/** One finding of the doctor. */
export interface Finding {
  readonly what: string;
  readonly verdict: 'good' | 'limited' | 'missing';
  readonly detail: string;
  readonly advice?: string;
}

const MIB = 1024 * 1024;

/** Processor, memory, disk and rights. */
export function basics(stateDir: string): Finding[] {
  const memory = Math.round(totalmem() / MIB);
  const disk = freeMib(stateDir);
  return [
    {
      what: 'processors',
      verdict: availableParallelism() >= 2 ? 'good' : 'limited',
      detail: String(availableParallelism()),
    },
    {
      what: 'memory',
      verdict: memory >= 2048 ? 'good' : 'limited',
      detail: `${memory} MiB`,
      advice: memory >= 2048 ? undefined : 'the services need about 600 MiB, each guest its own',
    },
    {
      what: 'disk',
      verdict: disk >= 4096 ? 'good' : 'limited',
      detail: `${disk} MiB free`,
      advice: disk >= 4096 ? undefined : 'packages, images and guests need about 4 GiB',
    },
    process.getuid?.() === 0
      ? { what: 'rights', verdict: 'good', detail: 'root' }
      : {
          what: 'rights',
          verdict: 'limited',
          detail: 'not root',
          advice: 'real guests and networks need root; simulated ones do not: --virt fake --net fake --volume fake',
        },
  ];
}

function freeMib(folder: string): number {
  let at = folder;
  while (!existsSync(at) && at !== '/') at = at.slice(0, at.lastIndexOf('/')) || '/';
  const { bavail, bsize } = statfsSync(at);
  return Math.floor((bavail * bsize) / MIB);
}

/** What the kernel allows: each is tried in a network namespace of its own that is gone afterwards. */
export async function kernelFindings(): Promise<Finding[]> {
  if (process.platform !== 'linux') {
    return [
      { what: 'kernel', verdict: 'missing', detail: process.platform, advice: 'real guests and networks need Linux' },
    ];
  }
  const tries: [string, string, readonly string[]][] = [
    ['network namespaces', 'networks of guests need them', ['true']],
    ['bridges', 'networks of guests need them', ['ip', 'link', 'add', 'nst0', 'type', 'bridge']],
    [
      'virtual Ethernet pairs',
      'DHCP and metadata need them',
      ['ip', 'link', 'add', 'nst0', 'type', 'veth', 'peer', 'name', 'nst1'],
    ],
    [
      'VXLAN',
      'networks across hosts need it',
      ['ip', 'link', 'add', 'nst0', 'type', 'vxlan', 'id', '7', 'dstport', '4789'],
    ],
    ['nftables', 'security groups need it', ['nft', 'add', 'table', 'inet', 'nestack_doctor']],
  ];
  const findings = await Promise.all(
    tries.map(async ([what, advice, command]): Promise<Finding> => {
      const result = await tryRun('unshare', ['--net', ...command], { timeoutMs: 10_000 });
      return result.code === 0
        ? { what, verdict: 'good', detail: 'works' }
        : { what, verdict: 'missing', detail: result.stderr.trim().split('\n')[0] ?? 'does not work', advice };
    }),
  );
  return [
    ...findings,
    existsSync('/dev/net/tun')
      ? { what: 'taps', verdict: 'good', detail: '/dev/net/tun is there' }
      : { what: 'taps', verdict: 'missing', detail: 'no /dev/net/tun', advice: 'guests can have no network' },
    kvm(),
  ];
}

function kvm(): Finding {
  const advice = 'guests run on emulated processors (TCG), about ten times slower';
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return {
      what: 'KVM',
      verdict: 'limited',
      detail: code === 'ENOENT' ? 'no /dev/kvm' : '/dev/kvm is closed to us',
      advice,
    };
  }
  const vendor = readFileSync('/proc/cpuinfo', 'utf8').match(/\b(vmx|svm)\b/);
  if (vendor === null) {
    return {
      what: 'KVM',
      verdict: 'limited',
      detail: '/dev/kvm opens, but the processor shows neither vmx nor svm',
      advice,
    };
  }
  return {
    what: 'KVM',
    verdict: 'good',
    detail: '/dev/kvm opens; the compute service boots a probe guest before it uses it',
  };
}
