import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import {
  EVERYTHING,
  type SecurityGroup,
  type SecurityGroupRepository,
  type SecurityGroupRule,
  type SecurityGroupRuleRepository,
} from '@nestack/neutron/domain';
import { securityGroupRuleTable, securityGroupTable } from '../tables/tables';
import { TableRepository } from './table.repository';

/** Security groups in PostgreSQL. */
export class SecurityGroupsRepository extends TableRepository<SecurityGroup> implements SecurityGroupRepository {
  constructor() {
    super(securityGroupTable);
  }

  async defaultOf(tx: Tx, projectId: string): Promise<string | null> {
    const row = await sqlOne<{ id: string }>(tx, 'SELECT id FROM security_group WHERE project_id = $1 AND is_default', [
      projectId,
    ]);
    return row?.id ?? null;
  }

  async lockDefault(tx: Tx, projectId: string): Promise<void> {
    await sql(tx, "SELECT pg_advisory_xact_lock(hashtext('neutron.default_group'), hashtext($1))", [projectId]);
  }

  async inUse(tx: Tx, groupId: string): Promise<boolean> {
    const row = await sqlOne<{ used: boolean }>(
      tx,
      'SELECT EXISTS (SELECT 1 FROM port_security_group WHERE security_group_id = $1) AS used',
      [groupId],
    );
    return row?.used === true;
  }

  async referring(tx: Tx, groupId: string): Promise<string[]> {
    const rows = await sql<{ id: string }>(
      tx,
      'SELECT DISTINCT security_group_id AS id FROM security_group_rule WHERE remote_group_id = $1 AND security_group_id <> $1',
      [groupId],
    );
    return rows.map((row) => row.id);
  }

  async rulesOf(tx: Tx, groupIds: readonly string[]): Promise<SecurityGroupRule[]> {
    return securityGroupRuleTable.list(tx, EVERYTHING, {
      filters: new Map([['security_group_id', groupIds]]),
      sort: [{ key: 'created_at', direction: 'asc' }],
      limit: null,
      marker: null,
      reverse: false,
    });
  }
}

/** Their rules. */
export class SecurityGroupRulesRepository
  extends TableRepository<SecurityGroupRule>
  implements SecurityGroupRuleRepository
{
  constructor() {
    super(securityGroupRuleTable);
  }

  async insertAll(tx: Tx, rules: readonly SecurityGroupRule[]): Promise<number> {
    return execute(
      tx,
      `INSERT INTO security_group_rule (id, project_id, description, revision_number, created_at, updated_at,
         security_group_id, direction, ethertype, protocol, port_range_min, port_range_max, remote_ip_prefix, remote_group_id)
       SELECT r.id, r.project_id, r.description, r.revision_number, r.created_at, r.updated_at, r.security_group_id,
         r.direction, r.ethertype, r.protocol, r.port_range_min, r.port_range_max, r.remote_ip_prefix, r.remote_group_id
       FROM json_populate_recordset(NULL::security_group_rule, $1::json) r ON CONFLICT DO NOTHING`,
      [JSON.stringify(rules)],
    );
  }

  async equal(tx: Tx, rule: SecurityGroupRule): Promise<string | null> {
    const row = await sqlOne<{ id: string }>(
      tx,
      `SELECT id FROM security_group_rule WHERE security_group_id = $1 AND direction = $2 AND ethertype = $3
         AND protocol IS NOT DISTINCT FROM $4::text AND port_range_min IS NOT DISTINCT FROM $5::integer
         AND port_range_max IS NOT DISTINCT FROM $6::integer AND remote_ip_prefix IS NOT DISTINCT FROM $7::text
         AND remote_group_id IS NOT DISTINCT FROM $8::uuid`,
      [
        rule.security_group_id,
        rule.direction,
        rule.ethertype,
        rule.protocol,
        rule.port_range_min,
        rule.port_range_max,
        rule.remote_ip_prefix,
        rule.remote_group_id,
      ],
    );
    return row?.id ?? null;
  }
}
