/** Columns that every resource has. */
export const STANDARD = `
        id uuid PRIMARY KEY,
        project_id text NOT NULL,
        name text NOT NULL DEFAULT '',
        description text NOT NULL DEFAULT '',
        tags text[] NOT NULL DEFAULT '{}',
        revision_number integer NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL`;

/** Keeps count of a table's rows per project, so that a quota needs no counting. */
export function counted(table: string, resource = table): string[] {
  return [
    `CREATE TRIGGER ${table}_counted_in AFTER INSERT ON ${table} REFERENCING NEW TABLE AS changed
       FOR EACH STATEMENT EXECUTE FUNCTION count_usage('${resource}')`,
    `CREATE TRIGGER ${table}_counted_out AFTER DELETE ON ${table} REFERENCING OLD TABLE AS changed
       FOR EACH STATEMENT EXECUTE FUNCTION count_usage('${resource}')`,
  ];
}
