import { portsOf, readSettings, type CloudSettings } from '../cloud/settings';
import { explainMissing, whyNoApt } from '../install/apt';
import { basics, kernelFindings, type Finding } from '../install/machine';
import { missingOf, needsOf } from '../install/needs';
import { listens } from '@nestack/kernel/process';
import { supervisorStatus } from '../supervisor/client';
import { placeOf, type CommonOptions } from './cloud';

const MARK = { good: '✓', limited: '!', missing: '✗' } as const;

/** Says what the machine lacks for real guests and networks, and how to get it. */
export async function doctor(options: CommonOptions): Promise<void> {
  const { layout } = placeOf(options);
  const settings = readSettings(layout);
  const findings = [...basics(layout.root), ...(await kernelFindings()), ...(await ports(settings, layout))];
  const width = Math.max(...findings.map((one) => one.what.length));
  for (const one of findings) {
    const advice = one.advice === undefined ? '' : ` (${one.advice})`;
    process.stdout.write(`${MARK[one.verdict]} ${one.what.padEnd(width)}  ${one.detail}${advice}\n`);
  }
  const needs = needsOf({
    virt: 'libvirt',
    net: 'linuxbridge',
    volume: 'nbd',
    brokerUrl: null,
    client: true,
    image: true,
  });
  const missing = missingOf(needs);
  if (missing.length === 0) {
    process.stdout.write('\nAll programs are installed.\n');
  } else {
    process.stdout.write('\nNot installed:\n');
    for (const line of explainMissing(missing)) process.stdout.write(`  ${line}\n`);
    const reason = whyNoApt();
    process.stdout.write(
      reason === null
        ? "'nestack up' installs them; the client with 'nestack up --client'.\n"
        : `They cannot be installed by nestack: ${reason}.\n`,
    );
  }
  process.exitCode = findings.some((one) => one.verdict === 'missing') ? 1 : 0;
}

async function ports(
  settings: CloudSettings | null,
  layout: Parameters<typeof supervisorStatus>[0],
): Promise<Finding[]> {
  if ((await supervisorStatus(layout)) !== null)
    return [{ what: 'ports', verdict: 'good', detail: 'in use by this cloud' }];
  const wanted = portsOf(settings ?? ({ portOffset: 0, databaseUrl: null, brokerUrl: null } as CloudSettings));
  const taken = [];
  for (const [name, port] of wanted) if (await listens(port)) taken.push(`${port} (${name})`);
  if (taken.length === 0) return [{ what: 'ports', verdict: 'good', detail: 'free' }];
  return [
    { what: 'ports', verdict: 'limited', detail: `in use: ${taken.join(', ')}`, advice: 'nestack up --port-offset N' },
  ];
}
