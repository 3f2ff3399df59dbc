export const portForwardingTables: readonly string[] = [
  // A floating IP whose single ports are forwarded has a router without being on a port.
  `ALTER TABLE floatingip DROP CONSTRAINT floatingip_check1,
     ADD CONSTRAINT floatingip_routed CHECK (port_id IS NULL OR router_id IS NOT NULL)`,
  `CREATE TABLE port_forwarding (
    id uuid PRIMARY KEY,
    floatingip_id uuid NOT NULL REFERENCES floatingip (id) ON DELETE CASCADE,
    description text NOT NULL,
    protocol text NOT NULL,
    internal_port_id uuid NOT NULL REFERENCES port (id) ON DELETE CASCADE,
    internal_ip_address inet NOT NULL,
    external_port_start integer NOT NULL,
    external_port_end integer NOT NULL,
    internal_port_start integer NOT NULL,
    internal_port_end integer NOT NULL,
    UNIQUE (floatingip_id, protocol, external_port_start, external_port_end),
    UNIQUE (internal_port_id, protocol, internal_ip_address, internal_port_start, internal_port_end)
  )`,
];
