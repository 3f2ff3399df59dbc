import { operation } from '@nestack/kernel/http';
import Type from 'typebox';

const Config = Type.Object({ config: Type.Record(Type.String(), Type.Unknown()) });
const rule = (verb: string) => `identity:${verb}_domain_config`;

const places = [
  { id: '', what: "a domain's configuration", rest: '' },
  { id: 'Group', what: "a group of a domain's configuration", rest: '/{group}' },
  { id: 'Option', what: "an option of a domain's configuration", rest: '/{group}/{option}' },
] as const;

/** Show, update, delete and default of one part of a domain's configuration. */
function operationsOf({ id, what, rest }: (typeof places)[number]) {
  const path = `/domains/{domain_id}/config${rest}`;
  return {
    show: operation({
      id: `showDomainConfig${id}`,
      summary: `Show ${what}`,
      method: 'GET',
      path,
      response: Config,
      status: 200,
      policy: rule('get'),
    }),
    update: operation({
      id: `updateDomainConfig${id}`,
      summary: `Change ${what}`,
      method: 'PATCH',
      path,
      body: Config,
      response: Config,
      status: 200,
      policy: rule('update'),
    }),
    remove: operation({
      id: `deleteDomainConfig${id}`,
      summary: `Delete ${what}`,
      method: 'DELETE',
      path,
      status: 204,
      policy: rule('delete'),
    }),
    defaults: operation({
      id: `showDefaultDomainConfig${id}`,
      summary: `Show what holds where ${what} says nothing`,
      method: 'GET',
      path: `/domains/config${rest}/default`,
      response: Config,
      status: 200,
      policy: 'identity:get_domain_config_default',
    }),
  };
}

export const createDomainConfig = operation({
  id: 'createDomainConfig',
  summary: "Set a domain's configuration",
  method: 'PUT',
  path: '/domains/{domain_id}/config',
  body: Config,
  response: Config,
  status: [201, 200],
  policy: rule('create'),
});
export const domainConfig = {
  whole: operationsOf(places[0]),
  group: operationsOf(places[1]),
  option: operationsOf(places[2]),
};
export const domainConfigOperations = [
  createDomainConfig,
  ...Object.values(domainConfig).flatMap((set) => Object.values(set)),
];
