import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { newUuid } from '@nestack/kernel/ids';
import type { RbacObjectType } from '@nestack/neutron/contract';
import { EVERYTHING, type RbacPolicy, type RbacRepository } from '@nestack/neutron/domain';
import { rbacPolicyTable } from '../tables/tables';
import { TableRepository } from './table.repository';

/** Who besides the owner sees an object. */
export class RbacPoliciesRepository extends TableRepository<RbacPolicy> implements RbacRepository {
  constructor() {
    super(rbacPolicyTable);
  }

  async share(
    tx: Tx,
    object: { readonly type: RbacObjectType; readonly id: string; readonly project_id: string },
    action: string,
    shared: boolean,
  ): Promise<void> {
    if (!shared) {
      await execute(tx, "DELETE FROM rbac_policy WHERE object_id = $1 AND action = $2 AND target_tenant = '*'", [
        object.id,
        action,
      ]);
      return;
    }
    await execute(
      tx,
      `INSERT INTO rbac_policy (id, project_id, object_type, object_id, action, target_tenant)
       VALUES ($1, $2, $3, $4, $5, '*') ON CONFLICT DO NOTHING`,
      [newUuid(), object.project_id, object.type, object.id, action],
    );
  }

  async removeOf(tx: Tx, objectId: string): Promise<void> {
    await execute(tx, 'DELETE FROM rbac_policy WHERE object_id = $1', [objectId]);
  }

  async dependents(tx: Tx, policy: RbacPolicy, owner: string): Promise<string[]> {
    const uses = USES[policy.action === 'access_as_external' ? 'external' : policy.object_type];
    const rows = await sql<{ project_id: string }>(
      tx,
      `SELECT DISTINCT u.project_id FROM (${uses}) u WHERE u.project_id NOT IN ($2, '')
         AND ($3 = '*' OR u.project_id = $3)
         AND NOT EXISTS (SELECT 1 FROM rbac_policy r WHERE r.object_id = $1 AND r.action = $4 AND r.id <> $5
           AND r.target_tenant IN ('*', u.project_id))`,
      [policy.object_id, owner, policy.target_tenant, policy.action, policy.id],
    );
    return rows.map((row) => row.project_id);
  }

  async ofObject(tx: Tx, objectId: string, action: string): Promise<RbacPolicy[]> {
    return this.table.list(tx, EVERYTHING, {
      filters: new Map([
        ['object_id', [objectId]],
        ['action', [action]],
      ]),
      sort: [],
      limit: null,
      marker: null,
      reverse: false,
    });
  }

  async equal(tx: Tx, policy: RbacPolicy): Promise<boolean> {
    const row = await sqlOne(
      tx,
      'SELECT 1 FROM rbac_policy WHERE object_id = $1 AND action = $2 AND target_tenant = $3',
      [policy.object_id, policy.action, policy.target_tenant],
    );
    return row !== null;
  }
}

/** Projects that use an object. */
const USES: Readonly<Record<RbacObjectType | 'external', string>> = {
  network:
    'SELECT project_id FROM port WHERE network_id = $1 UNION SELECT project_id FROM subnet WHERE network_id = $1',
  external: `SELECT project_id FROM router WHERE gateway_network_id = $1
    UNION SELECT project_id FROM floatingip WHERE floating_network_id = $1`,
  security_group: `SELECT p.project_id FROM port_security_group g JOIN port p ON p.id = g.port_id WHERE g.security_group_id = $1
    UNION SELECT project_id FROM security_group_rule WHERE remote_group_id = $1`,
  subnetpool: 'SELECT project_id FROM subnet WHERE subnetpool_id = $1',
  address_scope: 'SELECT project_id FROM subnetpool WHERE address_scope_id = $1',
};
