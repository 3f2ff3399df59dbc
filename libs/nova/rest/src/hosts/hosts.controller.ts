import { Inject, Injectable } from '@nestjs/common';
import { isoMicros } from '@nestack/kernel/clock';
import { ApiReply, Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  NovaError,
  createExternalEvents,
  deleteService,
  isTrue,
  listAvailabilityZones,
  listAvailabilityZonesDetail,
  listServices,
  updateService,
} from '@nestack/nova/contract';
import { ExternalEvents, Hosts, isUp, type ComputeService, type ExternalEvent } from '@nestack/nova/domain';

/** Services, availability zones and external events. */
@Injectable()
export class HostsController {
  constructor(
    @Inject(Hosts) private readonly hosts: Hosts,
    @Inject(ExternalEvents) private readonly events: ExternalEvents,
  ) {}

  @Handles(listServices)
  async services(request: ApiRequest) {
    const host = request.rawQuery.get('host');
    const binary = request.rawQuery.get('binary');
    const services = await this.hosts.services({
      ...(host === null ? {} : { host }),
      ...(binary === null ? {} : { binary }),
    });
    return { services: services.map((service) => this.serviceView(service, request)) };
  }

  /** Before 2.53 the path names the change (`enable`, `disable`, `force-down`…), from then on the service. */
  @Handles(updateService)
  async updateService(request: ApiRequest) {
    const body = request.body as {
      host?: string;
      binary?: string;
      status?: string;
      disabled_reason?: string;
      forced_down?: unknown;
    };
    const which = request.params['service_id'] ?? '';
    if (request.version.atLeast('2.53')) {
      if (body.disabled_reason !== undefined && body.status !== 'disabled') {
        throw NovaError.BadRequest({ reason: "Specifying disabled_reason requires that status is 'disabled'." });
      }
      const service = await this.hosts.update(request.ctx, { uuid: which }, changesOf(body));
      return { service: this.serviceView(service, request) };
    }
    const { host = '', binary = '' } = body;
    const patches: Record<string, Parameters<Hosts['update']>[2]> = {
      enable: { disabled: false, disabled_reason: null },
      disable: { disabled: true },
      'disable-log-reason': { disabled: true, disabled_reason: body.disabled_reason ?? null },
      'force-down': { forced_down: isTrue(body.forced_down ?? false) },
    };
    const patch = Object.hasOwn(patches, which) ? patches[which] : undefined;
    const unknown = patch === undefined || (which === 'force-down' && !request.version.atLeast('2.11'));
    if (unknown) throw NovaError.NotFound({ reason: 'Unknown action' });
    const service = await this.hosts.update(request.ctx, { host, binary }, patch);
    return {
      service: {
        host,
        binary,
        ...(which === 'force-down'
          ? { forced_down: service.forced_down }
          : { status: service.disabled ? 'disabled' : 'enabled' }),
        ...(which === 'disable-log-reason' ? { disabled_reason: service.disabled_reason } : {}),
      },
    };
  }

  @Handles(deleteService)
  async deleteService(request: ApiRequest) {
    await this.hosts.remove(request.ctx, request.params['service_id'] ?? '');
    return new ApiReply(null, { status: 204 });
  }

  @Handles(listAvailabilityZones)
  async zones() {
    const zones = new Map<string, boolean>();
    const now = this.hosts.now();
    for (const service of await this.hosts.services({ binary: 'nova-compute' })) {
      zones.set(
        service.availability_zone,
        zones.get(service.availability_zone) === true || (isUp(service, now) && !service.disabled),
      );
    }
    return {
      availabilityZoneInfo: [...zones].map(([zoneName, available]) => ({
        zoneName,
        zoneState: { available },
        hosts: null,
      })),
    };
  }

  @Handles(listAvailabilityZonesDetail)
  async zonesDetail() {
    const now = this.hosts.now();
    const zones = new Map<string, { available: boolean; hosts: Record<string, Record<string, unknown>> }>();
    for (const service of await this.hosts.services()) {
      const zone = zones.get(service.availability_zone) ?? { available: false, hosts: {} };
      const active = !service.disabled;
      const available = isUp(service, now);
      zone.available ||= active && available;
      (zone.hosts[service.host] ??= {})[service.binary] = {
        active,
        available,
        updated_at: service.last_seen_up === null ? null : isoMicros(service.last_seen_up),
      };
      zones.set(service.availability_zone, zone);
    }
    return {
      availabilityZoneInfo: [...zones].map(([zoneName, zone]) => ({
        zoneName,
        zoneState: { available: zone.available },
        hosts: zone.hosts,
      })),
    };
  }

  /** 200 when all went well, 207 when some did not. upstream: server_external_events.py */
  @Handles(createExternalEvents)
  async externalEvents(request: ApiRequest) {
    const { events } = request.body as { events: ExternalEvent[] };
    const answers = await this.events.accept(request.ctx, events);
    return new ApiReply({ events: answers }, { status: answers.every((one) => one.code === 200) ? 200 : 207 });
  }

  private serviceView(service: ComputeService, request: ApiRequest): Record<string, unknown> {
    return {
      id: request.version.atLeast('2.53') ? service.uuid : service.id,
      binary: service.binary,
      host: service.host,
      zone: service.availability_zone,
      status: service.disabled ? 'disabled' : 'enabled',
      state: isUp(service, this.hosts.now()) ? 'up' : 'down',
      updated_at: service.last_seen_up === null ? null : isoMicros(service.last_seen_up),
      disabled_reason: service.disabled_reason,
      ...(request.version.atLeast('2.11') ? { forced_down: service.forced_down } : {}),
    };
  }
}

function changesOf(body: {
  status?: string;
  disabled_reason?: string;
  forced_down?: unknown;
}): Parameters<Hosts['update']>[2] {
  return {
    ...(body.status === undefined
      ? {}
      : {
          disabled: body.status === 'disabled',
          disabled_reason: body.status === 'disabled' ? (body.disabled_reason ?? null) : null,
        }),
    ...(body.forced_down === undefined ? {} : { forced_down: isTrue(body.forced_down) }),
  };
}
