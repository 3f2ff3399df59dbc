import type { Rest } from '../bootstrap/rest';

/** What the scenarios need more of than a project has. */
const COMPUTE = ['instances', 'cores', 'ram'] as const;

/** Lifts the quotas of the measuring project for the time of a run; the returned function brings the old ones back. */
export async function liftQuotas(rest: Rest): Promise<() => Promise<void>> {
  const compute = `${rest.endpoint('compute')}/os-quota-sets/${rest.projectId}`;
  const network = `${rest.endpoint('network')}/v2.0/quotas/${rest.projectId}`;
  const { quota_set: before } = await rest.get<{ quota_set: Readonly<Record<string, number>> }>(compute);
  const { quota } = await rest.get<{ quota: Readonly<Record<string, number>> }>(network);
  const set = async (values: Readonly<Record<string, number | undefined>>, port: number | undefined): Promise<void> => {
    await rest.call('PUT', compute, { body: { quota_set: { ...values, force: true } } });
    await rest.call('PUT', network, { body: { quota: { port } } });
  };
  await set(Object.fromEntries(COMPUTE.map((name) => [name, -1])), -1);
  return () => set(Object.fromEntries(COMPUTE.map((name) => [name, before[name]])), quota['port']);
}
