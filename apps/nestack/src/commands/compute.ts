import { rmSync } from 'node:fs';
import { roleNames } from '../cloud/config-files';
import { removeGuests } from '../cloud/libvirt';
import { requireSettings, secretOf, writeSettings } from '../cloud/settings';
import { removeLeg, underlayOf } from '../cloud/underlay';
import { Rest } from '../bootstrap/rest';
import { Progress } from '../progress';
import { askSupervisor } from '../supervisor/protocol';
import { UserError } from '../user-error';
import { authUrlOf, placeOf, type CommonOptions } from './cloud';
import { removeWires } from './down';
import { up } from './up';

/** Adds a compute host on this machine, in a network namespace of its own, and waits until it takes guests. */
export async function addCompute(name: string, options: CommonOptions): Promise<void> {
  const { layout } = placeOf(options);
  const settings = requireSettings(layout);
  if (!/^[a-z][a-z0-9-]{0,14}$/.test(name)) {
    throw new UserError(
      `${name} is no good host name.`,
      'Use up to 15 lower-case letters, digits and hyphens, a letter first.',
    );
  }
  if (settings.hosts.includes(name)) throw new UserError(`There is a host ${name} already.`);
  writeSettings(layout, { ...settings, hosts: [...settings.hosts, name] });
  await up(options);
}

/** Removes a further compute host; it must have no servers. */
export async function removeCompute(name: string, options: CommonOptions): Promise<void> {
  const place = placeOf(options);
  const { layout } = place;
  const settings = requireSettings(layout);
  if (name === settings.hosts[0])
    throw new UserError(`${name} is the controller itself.`, 'Remove the whole cloud with: nestack reset');
  if (!settings.hosts.includes(name))
    throw new UserError(`There is no host ${name}.`, `Hosts: ${settings.hosts.join(', ')}`);
  const progress = new Progress();
  const rest = new Rest({
    authUrl: authUrlOf(settings),
    username: 'admin',
    password: secretOf(settings, 'admin'),
    project: 'admin',
  });
  try {
    await rest.login();
    const compute = rest.endpoint('compute');
    const query = `all_tenants=1&host=${encodeURIComponent(name)}`;
    const { servers } = await rest.get<{ servers: unknown[] }>(`${compute}/servers?${query}`);
    if (servers.length > 0) throw new UserError(`${name} has ${servers.length} servers.`, 'Delete or move them first.');
    await progress.step('processes', async () => {
      for (const role of roleNames(settings, name))
        await askSupervisor(layout.supervisorSocket, { op: 'remove', name: role });
      if (settings.virt === 'libvirt') {
        await removeGuests(layout, name);
        await askSupervisor(layout.supervisorSocket, { op: 'remove', name: `libvirtd-${name}` });
      }
    });
    await progress.step('records', async () => {
      const { services } = await rest.get<{ services: { id: number | string; host: string }[] }>(
        `${compute}/os-services?host=${name}`,
      );
      for (const service of services)
        await rest.call('DELETE', `${compute}/os-services/${service.id}`, { accept: [404] });
      const network = `${rest.endpoint('network')}/v2.0`;
      const { agents } = await rest.get<{ agents: { id: string }[] }>(`${network}/agents?host=${name}`);
      for (const agent of agents) await rest.call('DELETE', `${network}/agents/${agent.id}`, { accept: [404] });
    });
  } finally {
    await rest.close();
  }
  if (settings.net !== 'fake') {
    await progress.step('network namespace', async () => {
      const underlay = underlayOf(layout, settings);
      await removeWires(layout, underlay, name);
      await removeLeg(underlay, name);
    });
  }
  writeSettings(layout, { ...settings, hosts: settings.hosts.filter((host) => host !== name) });
  rmSync(layout.host(name), { recursive: true, force: true });
}
