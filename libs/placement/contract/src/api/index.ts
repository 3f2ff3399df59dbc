import { defineApi, type Operation } from '@nestack/kernel/http';
import { envelope, PlacementError } from '../errors';
import * as allocations from './allocations';
import * as candidates from './candidates';
import * as inventories from './inventories';
import * as names from './names';
import * as providers from './providers';
import * as usages from './usages';

export * from './allocations';
export * from './candidates';
export * from './inventories';
export * from './names';
export * from './providers';
export * from './usages';

const modules = [providers, inventories, usages, names, allocations, candidates];

function isOperation(value: unknown): value is Operation {
  return typeof value === 'object' && value !== null && 'method' in value && 'path' in value;
}

const MIN = '1.0';
const MAX = '1.39';

/** Placement's REST API. */
export const placementApi = defineApi({
  service: 'placement',
  type: 'placement',
  title: 'Placement service',
  prefixes: [''],
  microversions: { min: MIN, max: MAX, default: MIN, service: 'placement' },
  envelope,
  errors: PlacementError.declarations,
  operations: modules.flatMap((module) => Object.values<unknown>(module).filter(isOperation)),
  bodyLimit: 16 * 1024 * 1024,
  documents: {
    '/': () => ({
      status: 200,
      body: {
        versions: [
          {
            id: `v${MIN}`,
            max_version: MAX,
            min_version: MIN,
            status: 'CURRENT',
            // Empty on purpose: this same URL, whatever lies before it. upstream: placement/handlers/root.py
            links: [{ rel: 'self', href: '' }],
          },
        ],
      },
    }),
  },
});
