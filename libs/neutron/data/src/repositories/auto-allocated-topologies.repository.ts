import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { AutoAllocatedTopologyRepository } from '@nestack/neutron/domain';

/** Which network and router a project got without naming any, in PostgreSQL. */
export class AutoAllocatedTopologiesRepository implements AutoAllocatedTopologyRepository {
  async find(tx: Tx, projectId: string, options: { readonly lock?: boolean } = {}) {
    if (options.lock === true)
      await sql(tx, "SELECT pg_advisory_xact_lock(hashtext('neutron.auto_allocate'), hashtext($1))", [projectId]);
    return sqlOne<{ network_id: string; router_id: string | null }>(
      tx,
      'SELECT network_id, router_id FROM auto_allocated_topology WHERE project_id = $1',
      [projectId],
    );
  }

  async insert(tx: Tx, topology: Parameters<AutoAllocatedTopologyRepository['insert']>[1]): Promise<void> {
    await execute(tx, 'INSERT INTO auto_allocated_topology (project_id, network_id, router_id) VALUES ($1, $2, $3)', [
      topology.project_id,
      topology.network_id,
      topology.router_id,
    ]);
  }
}
