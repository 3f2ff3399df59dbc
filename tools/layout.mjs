/** How folders of this repository become Nx projects: names, types and tags. */

/** Type of a library by the name of its folder in `libs/<service>/`. */
const TYPE_OF_FOLDER = {
  contract: 'contract',
  domain: 'domain',
  rest: 'feature',
  rpc: 'feature',
  sagas: 'feature',
  data: 'data',
  drivers: 'driver',
  clients: 'client',
};

/** Kernel libraries without I/O and frameworks: what a domain library may use. */
const PURE_KERNEL = new Set(['errors', 'ids', 'context', 'clock']);

/** Kernel libraries that a contract is declared with. */
const DECLARING_KERNEL = new Set(['errors', 'ids', 'context', 'http', 'rpc', 'saga']);

export const TYPES = ['contract', 'domain', 'feature', 'data', 'driver', 'client', 'util', 'app'];

/** The type of `libs/<scope>/<name>`, or null where the folder's name does not tell. */
export function typeOfLibrary(scope, name) {
  if (scope === 'kernel') return 'util';
  return TYPE_OF_FOLDER[name] ?? null;
}

/** The content of a library's project.json. */
export function libraryProject(scope, name, type) {
  const tags = [`scope:${scope}`, `type:${type}`];
  if (scope === 'kernel' && PURE_KERNEL.has(name)) tags.push('tier:pure');
  if (scope === 'kernel' && DECLARING_KERNEL.has(name)) tags.push('tier:declaration');
  return project(`${scope}-${name}`, 'library', `libs/${scope}/${name}`, tags);
}

/** The content of an app's project.json; `nova-api` belongs to the scope `nova`. */
export function appProject(name) {
  return project(name, 'application', `apps/${name}`, [`scope:${name.split('-')[0]}`, 'type:app']);
}

function project(name, projectType, folder, tags) {
  return {
    $schema: `${'../'.repeat(folder.split('/').length)}node_modules/nx/schemas/project-schema.json`,
    name,
    projectType,
    sourceRoot: `${folder}/src`,
    tags,
  };
}
