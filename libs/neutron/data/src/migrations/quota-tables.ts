/**
 * Usage is counted by triggers, in the transaction of what it counts: the row of a project and resource is locked from the first
 * insertion to the commit, so that creations of one project cannot both take the last place.
 */
export const quotaTables: readonly string[] = [
  `CREATE TABLE quota (
    project_id text NOT NULL,
    resource text NOT NULL,
    hard_limit integer NOT NULL,
    PRIMARY KEY (project_id, resource)
  )`,
  `CREATE TABLE quota_usage (
    project_id text NOT NULL,
    resource text NOT NULL,
    used integer NOT NULL,
    PRIMARY KEY (project_id, resource)
  )`,
  `CREATE FUNCTION count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'INSERT' THEN
      INSERT INTO quota_usage (project_id, resource, used)
        SELECT c.project_id, TG_ARGV[0], count(*) FROM changed c GROUP BY c.project_id ORDER BY c.project_id
        ON CONFLICT (project_id, resource) DO UPDATE SET used = quota_usage.used + excluded.used;
    ELSE
      UPDATE quota_usage u SET used = u.used - c.gone
        FROM (SELECT project_id, count(*) AS gone FROM changed GROUP BY project_id) c
        WHERE u.project_id = c.project_id AND u.resource = TG_ARGV[0];
    END IF;
    RETURN NULL;
  END $$`,
];
