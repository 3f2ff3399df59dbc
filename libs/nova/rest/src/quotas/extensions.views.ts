/** Extensions by alias, as clients still ask for them. All are part of the API. upstream: nova/api/openstack/compute/extension_info.py */
export const EXTENSIONS = [
  ['Multinic', 'NMN'],
  ['DiskConfig', 'OS-DCF'],
  ['ExtendedAvailabilityZone', 'OS-EXT-AZ'],
  ['ExtendedIps', 'OS-EXT-IPS'],
  ['ExtendedServerAttributes', 'OS-EXT-SRV-ATTR'],
  ['ExtendedStatus', 'OS-EXT-STS'],
  ['FlavorDisabled', 'OS-FLV-DISABLED'],
  ['FlavorExtraData', 'OS-FLV-EXT-DATA'],
  ['SchedulerHints', 'OS-SCH-HNT'],
  ['ServerUsage', 'OS-SRV-USG'],
  ['AdminActions', 'os-admin-actions'],
  ['AttachInterfaces', 'os-attach-interfaces'],
  ['AvailabilityZone', 'os-availability-zone'],
  ['BlockDeviceMappingV2Boot', 'os-block-device-mapping-v2-boot'],
  ['ConfigDrive', 'os-config-drive'],
  ['ConsoleOutput', 'os-console-output'],
  ['Consoles', 'os-consoles'],
  ['DeferredDelete', 'os-deferred-delete'],
  ['ExtendedVolumes', 'os-extended-volumes'],
  ['FlavorAccess', 'os-flavor-access'],
  ['FlavorExtraSpecs', 'os-flavor-extra-specs'],
  ['FlavorManage', 'os-flavor-manage'],
  ['Hosts', 'os-hosts'],
  ['Hypervisors', 'os-hypervisors'],
  ['InstanceActions', 'os-instance-actions'],
  ['Keypairs', 'os-keypairs'],
  ['LockServer', 'os-lock-server'],
  ['MultipleCreate', 'os-multiple-create'],
  ['PauseServer', 'os-pause-server'],
  ['Personality', 'os-personality'],
  ['Quotas', 'os-quota-sets'],
  ['QuotaClasses', 'os-quota-class-sets'],
  ['SecurityGroups', 'os-security-groups'],
  ['ServerDiagnostics', 'os-server-diagnostics'],
  ['ServerExternalEvents', 'os-server-external-events'],
  ['ServerGroups', 'os-server-groups'],
  ['ServerStartStop', 'os-server-start-stop'],
  ['Services', 'os-services'],
  ['SimpleTenantUsage', 'os-simple-tenant-usage'],
  ['UsedLimits', 'os-used-limits'],
  ['UserData', 'os-user-data'],
  ['Volumes', 'os-volumes'],
].map(([name, alias]) => ({ name: name ?? '', alias: alias ?? '' }));

export function extensionView({
  name,
  alias,
}: {
  readonly name: string;
  readonly alias: string;
}): Record<string, unknown> {
  return {
    name,
    alias,
    namespace: 'http://docs.openstack.org/compute/ext/fake_xml',
    updated: '2014-12-03T00:00:00Z',
    description: '',
    links: [],
  };
}
