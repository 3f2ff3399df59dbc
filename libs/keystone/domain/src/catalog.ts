import type { TransactionRunner } from '@nestack/kernel/context';
import type { Stores } from './ports';

export interface CatalogEntry {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly endpoints: readonly {
    readonly id: string;
    readonly interface: string;
    readonly region: string | null;
    readonly region_id: string | null;
    readonly url: string;
  }[];
}

/** The catalogue for a user's project; endpoints whose URL needs a project are left out without one. */
export class Catalog {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
  ) {}

  async forScope(userId: string, projectId: string | null): Promise<CatalogEntry[]> {
    const rows = await this.db.read('catalog', (tx) => this.stores.catalog(tx, projectId));
    return rows.map((service) => ({
      id: service.id,
      type: service.type,
      name: service.name,
      endpoints: service.endpoints.flatMap((endpoint) => {
        const url = formatUrl(endpoint.url, userId, projectId);
        if (url === null) return [];
        return [
          {
            id: endpoint.id,
            interface: endpoint.interface,
            region: endpoint.region_id,
            region_id: endpoint.region_id,
            url,
          },
        ];
      }),
    }));
  }
}

/** The URL with `$(project_id)s` (or `%(…)s`) and its like filled in; null when a value is missing or not known. */
export function formatUrl(template: string, userId: string, projectId: string | null): string | null {
  let complete = true;
  const url = template.replaceAll(/[$%]\((\w+)\)s/g, (_, name: string) => {
    const value = name === 'project_id' || name === 'tenant_id' ? projectId : name === 'user_id' ? userId : null;
    if (value === null) complete = false;
    return value ?? '';
  });
  return complete ? url : null;
}
