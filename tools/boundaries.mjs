/**
 * Who may import whom, as constraints of the Nx lint rule; all that match a project hold for it. A service sees of another
 * service nothing but its contract, and that only from its own `clients`.
 */
const PROTOCOLS_AND_STORES = ['@nestjs/*', 'typeorm', 'pg', 'amqplib', 'fastify', 'undici'];

/** By type of library: the tags it may depend on, whatever the scope. */
const BY_TYPE = [
  {
    sourceTag: 'type:contract',
    onlyDependOnLibsWithTags: ['tier:declaration'],
    bannedExternalImports: PROTOCOLS_AND_STORES,
  },
  {
    sourceTag: 'type:domain',
    onlyDependOnLibsWithTags: ['type:contract', 'tier:pure'],
    bannedExternalImports: PROTOCOLS_AND_STORES,
  },
  { sourceTag: 'type:feature', onlyDependOnLibsWithTags: ['type:contract', 'type:domain', 'type:util'] },
  { sourceTag: 'type:data', onlyDependOnLibsWithTags: ['type:contract', 'type:domain', 'type:util'] },
  { sourceTag: 'type:driver', onlyDependOnLibsWithTags: ['type:contract', 'type:domain', 'type:util'] },
  { sourceTag: 'type:client', onlyDependOnLibsWithTags: ['type:contract', 'type:domain', 'type:util'] },
  { sourceTag: 'type:util', onlyDependOnLibsWithTags: ['type:util'] },
  {
    sourceTag: 'type:app',
    onlyDependOnLibsWithTags: [
      'type:app',
      'type:contract',
      'type:domain',
      'type:feature',
      'type:data',
      'type:driver',
      'type:client',
      'type:util',
    ],
  },
];

const SERVICES = ['keystone', 'glance', 'placement', 'nova', 'cinder', 'neutron'];
const OWN_SCOPE_ONLY = ['contract', 'domain', 'feature', 'data', 'driver', 'app'];

/** By scope: everything stays within its own service, save the clients. */
const BY_SCOPE = SERVICES.flatMap((service) => [
  ...OWN_SCOPE_ONLY.map((type) => ({
    allSourceTags: [`scope:${service}`, `type:${type}`],
    onlyDependOnLibsWithTags: [`scope:${service}`, 'scope:kernel'],
  })),
  {
    allSourceTags: [`scope:${service}`, 'type:client'],
    onlyDependOnLibsWithTags: [`scope:${service}`, 'type:contract', 'scope:kernel'],
  },
]);

export const depConstraints = [
  ...BY_TYPE,
  ...BY_SCOPE,
  { sourceTag: 'scope:kernel', onlyDependOnLibsWithTags: ['scope:kernel'] },
  // The composing app starts every other app.
  { sourceTag: 'scope:nestack', onlyDependOnLibsWithTags: ['*'] },
];
