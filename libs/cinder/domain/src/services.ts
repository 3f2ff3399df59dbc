import { CinderError } from '@nestack/cinder/contract';
import type { HostUse, Service } from './model';
import type { CinderParts } from './ports';

/** Which services run where, as their heartbeats tell. */
export class Services {
  constructor(private readonly parts: Pick<CinderParts, 'db' | 'services' | 'volumes' | 'settings'>) {}

  /** How much more than there is may be promised. */
  get ratio(): number {
    return this.parts.settings.max_over_subscription_ratio;
  }

  list(filters: { host?: string | undefined; binary?: string | undefined }): Promise<readonly Service[]> {
    return this.parts.db.read('service.list', (tx) => this.parts.services.list(tx, filters));
  }

  async setDisabled(host: string, binary: string, disabled: boolean, reason: string | null): Promise<Service> {
    const service = await this.parts.db.run('service.update', (tx) =>
      this.parts.services.setDisabled(tx, host, binary, disabled, reason),
    );
    if (service === null) throw CinderError.ServiceNotFound({ service_id: binary, host });
    return service;
  }

  /** What projects have on a host; throws when no service runs there. */
  useOf(host: string): Promise<readonly HostUse[]> {
    return this.parts.db.read('host.show', async (tx) => {
      if ((await this.parts.services.list(tx, { host })).length === 0) throw CinderError.HostNotFound({ host });
      return this.parts.volumes.useOfHost(tx, host);
    });
  }

  /** Takes a backend out of use, or back into it. upstream: cinder/volume/manager.py freeze_host */
  async setFrozen(host: string, frozen: boolean): Promise<void> {
    await this.parts.db.run('service.freeze', async (tx) => {
      if (!(await this.parts.services.setFrozen(tx, host, frozen)))
        throw CinderError.InvalidInput({ reason: `Host ${host} has no volume service.` });
    });
  }

  /** Pools with what is promised on each. */
  async pools(): Promise<readonly { service: Service; provisioned: number }[]> {
    return this.parts.db.read('service.pools', async (tx) => {
      const provisioned = await this.parts.volumes.provisioned(tx);
      const services = await this.parts.services.list(tx, { binary: 'cinder-volume' });
      return services
        .filter((one) => one.capabilities !== null)
        .map((service) => ({ service, provisioned: provisioned.get(poolOf(service)) ?? 0 }));
    });
  }
}

/** `host@backend#pool`; a backend is its own only pool. */
export function poolOf(service: Service): string {
  return `${service.host}#${service.capabilities?.volume_backend_name ?? 'pool'}`;
}
