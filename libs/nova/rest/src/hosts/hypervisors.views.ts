import type { ApiVersion } from '@nestack/kernel/http';
import { guestName, type Hypervisor } from '@nestack/nova/domain';

/** upstream: nova/api/openstack/compute/hypervisors.py */
export function hypervisorBrief({ node, service, up }: Hypervisor, version: ApiVersion): Record<string, unknown> {
  return {
    id: version.atLeast('2.53') ? node.uuid : node.id,
    hypervisor_hostname: node.facts.hypervisor_hostname,
    state: up ? 'up' : 'down',
    status: service?.disabled === true ? 'disabled' : 'enabled',
  };
}

function usage({ instances }: Hypervisor): { vcpus: number; ram: number; disk: number } {
  return instances.reduce(
    (sum, { flavor, image }) => ({
      vcpus: sum.vcpus + flavor.vcpus,
      ram: sum.ram + flavor.memory_mb,
      disk: sum.disk + (image === null ? 0 : flavor.root_gb) + flavor.ephemeral_gb,
    }),
    { vcpus: 0, ram: 0, disk: 0 },
  );
}

export function hypervisorView(hypervisor: Hypervisor, version: ApiVersion): Record<string, unknown> {
  const { node, service } = hypervisor;
  const { facts } = node;
  const used = usage(hypervisor);
  return {
    ...hypervisorBrief(hypervisor, version),
    hypervisor_type: facts.hypervisor_type,
    hypervisor_version: facts.hypervisor_version,
    host_ip: facts.host_ip,
    service: {
      id: version.atLeast('2.53') ? (service?.uuid ?? '') : (service?.id ?? 0),
      host: node.host,
      disabled_reason: service?.disabled_reason ?? null,
    },
    ...(version.atLeast('2.88')
      ? { uptime: facts.uptime }
      : {
          vcpus: facts.vcpus,
          vcpus_used: used.vcpus,
          memory_mb: facts.memory_mb,
          memory_mb_used: used.ram,
          free_ram_mb: facts.memory_mb - used.ram,
          local_gb: facts.local_gb,
          local_gb_used: used.disk,
          free_disk_gb: facts.local_gb - used.disk,
          disk_available_least: facts.local_gb - used.disk,
          current_workload: 0,
          running_vms: hypervisor.instances.length,
          cpu_info: version.atLeast('2.28') ? facts.cpu_info : JSON.stringify(facts.cpu_info),
        }),
  };
}

export function statisticsOf(hypervisors: readonly Hypervisor[]): Record<string, number> {
  const sum = (of: (one: Hypervisor) => number): number => hypervisors.reduce((total, one) => total + of(one), 0);
  const vcpus = sum((one) => one.node.facts.vcpus);
  const memory = sum((one) => one.node.facts.memory_mb);
  const disk = sum((one) => one.node.facts.local_gb);
  const used = {
    vcpus: sum((one) => usage(one).vcpus),
    ram: sum((one) => usage(one).ram),
    disk: sum((one) => usage(one).disk),
  };
  return {
    count: hypervisors.length,
    vcpus,
    vcpus_used: used.vcpus,
    memory_mb: memory,
    memory_mb_used: used.ram,
    free_ram_mb: memory - used.ram,
    local_gb: disk,
    local_gb_used: used.disk,
    free_disk_gb: disk - used.disk,
    disk_available_least: disk - used.disk,
    current_workload: 0,
    running_vms: sum((one) => one.instances.length),
  };
}

/** The guests of a hypervisor under the names that it knows them by. */
export function serversOf({ instances }: Hypervisor): { name: string; uuid: string }[] {
  return instances.map((instance) => ({ name: guestName(instance.uuid), uuid: instance.uuid }));
}

/** What a host has, what is used of it, and by which projects. upstream: nova/api/openstack/compute/hosts.py show */
export function hostResources({ node, instances }: Hypervisor): { resource: Record<string, unknown> }[] {
  const { host, facts } = node;
  const row = (project: string, cpu: number, memory_mb: number, disk_gb: number) => ({
    resource: { host, project, cpu, memory_mb, disk_gb },
  });
  const sum = (of: Hypervisor['instances']) =>
    [
      of.reduce((total, { flavor }) => total + flavor.vcpus, 0),
      of.reduce((total, { flavor }) => total + flavor.memory_mb, 0),
      of.reduce((total, { flavor }) => total + flavor.root_gb + flavor.ephemeral_gb, 0),
    ] as const;
  const projects = [...new Set(instances.map((one) => one.project_id))];
  return [
    row('(total)', facts.vcpus, facts.memory_mb, facts.local_gb),
    row('(used_now)', ...sum(instances)),
    row('(used_max)', ...sum(instances)),
    ...projects.map((project) => row(project, ...sum(instances.filter((one) => one.project_id === project)))),
  ];
}
