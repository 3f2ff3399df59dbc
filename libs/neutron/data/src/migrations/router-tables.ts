import { counted, STANDARD } from './columns';

export const routerTables: readonly string[] = [
  `CREATE TABLE router (${STANDARD},
    admin_state_up boolean NOT NULL,
    status text NOT NULL,
    availability_zone_hints text[] NOT NULL,
    routes jsonb NOT NULL,
    enable_snat boolean NOT NULL,
    gateway_network_id uuid REFERENCES network (id),
    gateway_port_id uuid REFERENCES port (id),
    CHECK ((gateway_network_id IS NULL) = (gateway_port_id IS NULL))
  )`,
  'CREATE INDEX router_project ON router (project_id)',
  'CREATE INDEX router_gateway ON router (gateway_network_id)',
  'CREATE UNIQUE INDEX router_gateway_port ON router (gateway_port_id)',
  ...counted('router'),
  `CREATE TABLE router_interface (
    router_id uuid NOT NULL REFERENCES router (id),
    port_id uuid PRIMARY KEY REFERENCES port (id)
  )`,
  'CREATE INDEX router_interface_router ON router_interface (router_id)',
  `CREATE TABLE router_l3_agent (
    router_id uuid PRIMARY KEY REFERENCES router (id) ON DELETE CASCADE,
    agent_id uuid NOT NULL REFERENCES agent (id) ON DELETE CASCADE
  )`,
  'CREATE INDEX router_l3_agent_agent ON router_l3_agent (agent_id)',
  `CREATE TABLE floatingip (${STANDARD},
    floating_network_id uuid NOT NULL REFERENCES network (id),
    floating_ip_address inet NOT NULL,
    floating_port_id uuid NOT NULL REFERENCES port (id),
    port_id uuid REFERENCES port (id),
    fixed_ip_address inet,
    router_id uuid REFERENCES router (id),
    status text NOT NULL,
    dns_name text NOT NULL,
    dns_domain text NOT NULL,
    CHECK ((port_id IS NULL) = (fixed_ip_address IS NULL)),
    CHECK ((port_id IS NULL) = (router_id IS NULL))
  )`,
  'CREATE INDEX floatingip_project ON floatingip (project_id)',
  'CREATE INDEX floatingip_router ON floatingip (router_id)',
  'CREATE UNIQUE INDEX floatingip_port ON floatingip (floating_port_id)',
  `CREATE UNIQUE INDEX floatingip_target ON floatingip (floating_network_id, port_id, fixed_ip_address)
     WHERE port_id IS NOT NULL`,
  ...counted('floatingip'),
];
