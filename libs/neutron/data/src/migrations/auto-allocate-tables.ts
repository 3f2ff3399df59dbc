export const autoAllocateTables: readonly string[] = [
  `CREATE TABLE auto_allocated_topology (
    project_id text PRIMARY KEY,
    network_id uuid NOT NULL REFERENCES network (id) ON DELETE CASCADE,
    router_id uuid REFERENCES router (id) ON DELETE SET NULL
  )`,
  'CREATE INDEX auto_allocated_topology_network ON auto_allocated_topology (network_id)',
  'CREATE INDEX auto_allocated_topology_router ON auto_allocated_topology (router_id)',
];
