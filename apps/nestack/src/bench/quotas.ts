import type { Rest } from '../bootstrap/rest';

type Limits = Readonly<Record<string, number>>;

/** What the scenarios need more of than a project has. */
const LIFTED = {
  compute: ['instances', 'cores', 'ram'],
  'block-storage': ['volumes', 'gigabytes'],
  network: ['network', 'subnet', 'port'],
} as const;

/** Lifts the quotas of the measuring project for the time of a run; the returned function brings the old ones back. */
export async function liftQuotas(rest: Rest): Promise<() => Promise<void>> {
  const quotas = [
    quotaSet(rest, `${rest.endpoint('compute')}/os-quota-sets/${rest.projectId}`, 'quota_set', { force: true }),
    quotaSet(rest, `${rest.endpoint('block-storage')}/os-quota-sets/${rest.projectId}`, 'quota_set', {}),
    quotaSet(rest, `${rest.endpoint('network')}/v2.0/quotas/${rest.projectId}`, 'quota', {}),
  ];
  const names: readonly (readonly string[])[] = [LIFTED.compute, LIFTED['block-storage'], LIFTED.network];
  const before: Limits[] = [];
  for (const quota of quotas) before.push(await quota.get());
  for (const [index, quota] of quotas.entries()) await quota.set(limits(names[index] ?? [], () => -1));
  return async () => {
    for (const [index, quota] of quotas.entries())
      await quota.set(limits(names[index] ?? [], (name) => before[index]?.[name] ?? -1));
  };
}

const limits = (names: readonly string[], valueOf: (name: string) => number): Limits =>
  Object.fromEntries(names.map((name) => [name, valueOf(name)]));

function quotaSet(rest: Rest, url: string, key: string, also: Readonly<Record<string, boolean>>) {
  return {
    get: async (): Promise<Limits> => (await rest.get<Record<string, Limits>>(url))[key] ?? {},
    set: (values: Limits) => rest.call('PUT', url, { body: { [key]: { ...values, ...also } } }),
  };
}
