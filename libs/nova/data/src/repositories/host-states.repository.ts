import type { Tx } from '@nestack/kernel/context';
import { sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import type { HostStateRepository, SchedulableHost } from '@nestack/nova/domain';

/**
 * Hosts with all that filters and weighers look at, in one statement; `which` is a condition on the compute node `n`. What
 * counts as work on disks: upstream, nova/compute/stats.py
 */
function select(which: string): string {
  return `SELECT n.uuid AS compute_node_uuid, n.host, n.facts, json_build_object('disabled', s.disabled,
      'disabled_reason', s.disabled_reason, 'forced_down', s.forced_down, 'availability_zone', s.availability_zone) AS service,
      s.last_seen_up, load.num_instances, load.num_io_ops, COALESCE(grouped.metadata, '[]'::jsonb) AS aggregates
    FROM compute_node n JOIN service s ON s.id = n.service_id
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS num_instances, (count(*) FILTER (WHERE i.vm_state = 'building' OR i.task_state IN
        ('resize_migrating', 'rebuilding', 'resize_prep', 'image_snapshot', 'image_backup', 'rescuing', 'unshelving')))::int AS num_io_ops
      FROM instance i WHERE i.host = n.host AND i.deleted_at IS NULL
    ) load
    LEFT JOIN (
      SELECT member.host, jsonb_agg(a.metadata ORDER BY a.id) AS metadata
      FROM host_aggregate a CROSS JOIN LATERAL jsonb_array_elements_text(a.hosts) member (host) GROUP BY member.host
    ) grouped ON grouped.host = n.host
    WHERE ${which}`;
}

type Row = Omit<SchedulableHost, 'service'> & {
  readonly service: Omit<SchedulableHost['service'], 'last_seen_up'>;
  readonly last_seen_up: Date | null;
};

const toHost = ({ service, last_seen_up, ...host }: Row): SchedulableHost => ({
  ...host,
  service: { ...service, last_seen_up },
});

/** Hosts with their services, as the scheduler reads them. */
export class HostStatesRepository implements HostStateRepository {
  async byNodes(tx: Tx, computeNodeUuids: readonly string[]): Promise<readonly SchedulableHost[]> {
    return (await sql<Row>(tx, select('n.uuid = ANY ($1::uuid[])'), [computeNodeUuids])).map(toHost);
  }

  async byName(tx: Tx, host: string): Promise<SchedulableHost | null> {
    const row = await sqlOne<Row>(tx, `${select('(n.host = $1 OR lower(n.host) = lower($1))')} LIMIT 1`, [host]);
    return row === null ? null : toHost(row);
  }

  async hostsOfInstances(tx: Tx, instanceUuids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await sql<{ uuid: string; host: string }>(
      tx,
      'SELECT uuid, host FROM instance WHERE uuid = ANY ($1::uuid[]) AND host IS NOT NULL AND deleted_at IS NULL',
      [instanceUuids.filter(isUuidLike)],
    );
    return new Map(rows.map((row) => [row.uuid, row.host]));
  }
}
