/**
 * Finding and taking an address happens inside of the database: one round trip, under a lock of the subnet, without looking at
 * more than the addresses around the one that it finds.
 */
export const addressFunctions: readonly string[] = [
  // The lowest free address of a subnet's pools at or behind one address and before another; null bounds are none.
  `CREATE FUNCTION free_address(the_subnet uuid, from_ip inet, before_ip inet) RETURNS inet LANGUAGE plpgsql AS $$
  DECLARE
    pool record;
    found_ip inet;
  BEGIN
    FOR pool IN
      SELECT greatest(a.first_ip, coalesce(from_ip, a.first_ip)) AS lo,
             CASE WHEN before_ip IS NULL OR before_ip > a.last_ip THEN a.last_ip ELSE before_ip - 1 END AS hi
      FROM allocation_pool a
      WHERE a.subnet_id = the_subnet AND (from_ip IS NULL OR a.last_ip >= from_ip)
        AND (before_ip IS NULL OR a.first_ip < before_ip)
      ORDER BY a.first_ip
    LOOP
      CONTINUE WHEN pool.lo > pool.hi;
      IF NOT EXISTS (SELECT 1 FROM ip_allocation i WHERE i.subnet_id = the_subnet AND i.ip_address = pool.lo) THEN
        RETURN pool.lo;
      END IF;
      SELECT i.ip_address + 1 INTO found_ip FROM ip_allocation i
        WHERE i.subnet_id = the_subnet AND i.ip_address >= pool.lo AND i.ip_address < pool.hi
          AND NOT EXISTS (SELECT 1 FROM ip_allocation j
            WHERE j.subnet_id = the_subnet AND j.ip_address = i.ip_address + 1)
        ORDER BY i.ip_address LIMIT 1;
      IF found_ip IS NOT NULL THEN
        RETURN found_ip;
      END IF;
    END LOOP;
    RETURN NULL;
  END $$`,
  // Takes the next address for a port. The search goes on where the last one ended, and begins anew behind the last address.
  `CREATE FUNCTION take_address(the_subnet uuid, the_port uuid, the_ordinal integer) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    at_ip inet;
    taken inet;
  BEGIN
    SELECT s.ip_cursor INTO at_ip FROM subnet s WHERE s.id = the_subnet FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    taken := free_address(the_subnet, at_ip, NULL);
    IF taken IS NULL AND at_ip IS NOT NULL THEN
      taken := free_address(the_subnet, NULL, at_ip);
    END IF;
    IF taken IS NULL THEN
      RETURN NULL;
    END IF;
    INSERT INTO ip_allocation (subnet_id, ip_address, port_id, ordinal) VALUES (the_subnet, taken, the_port, the_ordinal);
    UPDATE subnet SET ip_cursor = CASE
        WHEN taken >= (SELECT max(a.last_ip) FROM allocation_pool a WHERE a.subnet_id = the_subnet) THEN NULL
        ELSE taken + 1 END
      WHERE id = the_subnet;
    RETURN host(taken);
  END $$`,
];
