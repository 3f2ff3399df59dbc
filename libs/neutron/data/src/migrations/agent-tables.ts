export const agentTables: readonly string[] = [
  `CREATE TABLE agent (
    id uuid PRIMARY KEY,
    agent_type text NOT NULL,
    "binary" text NOT NULL,
    topic text NOT NULL,
    host text NOT NULL,
    availability_zone text,
    admin_state_up boolean NOT NULL DEFAULT true,
    description text,
    configurations jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    heartbeat_timestamp timestamptz NOT NULL,
    UNIQUE (agent_type, host)
  )`,
  `CREATE TABLE network_dhcp_agent (
    network_id uuid NOT NULL REFERENCES network (id) ON DELETE CASCADE,
    agent_id uuid NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    PRIMARY KEY (network_id, agent_id)
  )`,
  'CREATE INDEX network_dhcp_agent_agent ON network_dhcp_agent (agent_id)',
];
