import type { Instance, InstanceListItem } from '@nestack/nova/domain';
import { serverView, type ServerViewOptions } from './servers.views';

/** The JSON of an instance as it was last shown, and all that it depends on beside the instance itself. */
const shown = new WeakMap<Instance, { readonly depends: string; readonly bytes: Buffer }>();

const [BEGIN, COMMA, END] = ['{"servers":[', ',', ']'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];

/**
 * The body of a list of servers with details. A server is turned into JSON anew only when it has changed or is asked for
 * in another form: repositories give the same object for the same version of a row.
 */
export function serverListBytes(items: readonly InstanceListItem[], options: ServerViewOptions, links: object): Buffer {
  const { version, baseUrl } = options.request;
  const form = `${version.text} ${options.admin ? 'admin' : ''} ${options.extraSpecs ? 'specs' : ''} ${baseUrl}`;
  const parts = [BEGIN];
  for (const [at, item] of items.entries()) {
    if (at > 0) parts.push(COMMA);
    parts.push(serverBytes(item, options, form));
  }
  const rest = JSON.stringify(links).slice(1);
  parts.push(END, Buffer.from(rest === '}' ? rest : `,${rest}`));
  return Buffer.concat(parts);
}

function serverBytes(item: InstanceListItem, options: ServerViewOptions, form: string): Buffer {
  const { instance, volumes } = item;
  const status = options.hostStatus?.(instance);
  const depends = `${form} ${String(status)} ${volumes.length === 0 ? '' : JSON.stringify(volumes)}`;
  const known = shown.get(instance);
  if (known?.depends === depends) return known.bytes;
  const bytes = Buffer.from(JSON.stringify(serverView(item, options)));
  shown.set(instance, { depends, bytes });
  return bytes;
}
