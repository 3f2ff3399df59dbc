/** One extension of the API, as clients look for it. */
export interface Extension {
  readonly alias: string;
  readonly name: string;
  readonly description: string;
  readonly updated: string;
}

const extension = (alias: string, name: string, updated: string, description: string): Extension => ({
  alias,
  name,
  description,
  updated,
});

/**
 * The extensions whose API is whole here, with the names and dates by which upstream knows them. Clients change their ways by
 * the aliases: one that is listed must work in all its parts.
 */
export const EXTENSIONS: readonly Extension[] = [
  extension('address-scope', 'Address scope', '2015-07-26T10:00:00-00:00', 'Realms in which prefixes are unique'),
  extension('agent', 'agent', '2013-02-03T10:00:00-00:00', 'Management of agents'),
  extension(
    'allowed-address-pairs',
    'Allowed Address Pairs',
    '2013-07-23T10:00:00-00:00',
    'Further addresses of ports',
  ),
  extension(
    'auto-allocated-topology',
    'Auto Allocated Topology Services',
    '2016-01-01T00:00:00-00:00',
    'Networks with a way outside for projects that have none',
  ),
  extension('availability_zone', 'Availability Zone', '2015-01-01T10:00:00-00:00', 'Zones of agents'),
  extension(
    'availability_zone_filter',
    'Availability Zone Filter Extension',
    '2018-06-22T10:00:00-00:00',
    'Filters for zones',
  ),
  extension('binding', 'Port Binding', '2014-02-03T10:00:00-00:00', 'Bindings of ports to hosts'),
  extension(
    'binding-extended',
    'Port Bindings Extended',
    '2017-07-17T10:00:00-00:00',
    'Bindings of ports to further hosts',
  ),
  extension(
    'default-subnetpools',
    'Default Subnetpools',
    '2016-02-18T18:00:00-00:00',
    'Pools for subnets that name none',
  ),
  extension('dhcp_agent_scheduler', 'DHCP Agent Scheduler', '2013-02-07T10:00:00-00:00', 'Networks among DHCP agents'),
  extension('dns-domain-ports', 'dns_domain for ports', '2017-04-24T10:00:00-00:00', 'Domains of ports'),
  extension(
    'dns-integration',
    'DNS Integration',
    '2015-08-15T18:00:00-00:00',
    'Names of ports, networks and floating IPs',
  ),
  extension(
    'empty-string-filtering',
    'Empty String Filtering Extension',
    '2018-05-01T10:00:00-00:00',
    'Filters for empty text',
  ),
  extension(
    'ext-gw-mode',
    'Neutron L3 Configurable external gateway mode',
    '2013-03-28T10:00:00-00:00',
    'Gateways with or without source NAT',
  ),
  extension('external-net', 'Neutron external network', '2013-01-14T10:00:00-00:00', 'Networks that lead outside'),
  extension('extra_dhcp_opt', 'Neutron Extra DHCP options', '2013-03-17T12:00:00-00:00', 'DHCP options of ports'),
  extension('extraroute', 'Neutron Extra Route', '2013-02-01T10:00:00-00:00', 'Further routes of routers'),
  extension(
    'extraroute-atomic',
    'Atomically add/remove extra routes',
    '2019-07-10T00:00:00+00:00',
    'Single routes of routers added and removed',
  ),
  extension(
    'filter-validation',
    'Filter parameters validation',
    '2018-07-04T10:00:00-00:00',
    'Unknown filters are refused',
  ),
  extension(
    'expose-port-forwarding-in-fip',
    'Expose Port Forwarding in FIP',
    '2018-12-12T10:00:00-00:00',
    'Floating IPs with their port forwardings',
  ),
  extension(
    'fip-port-details',
    'Floating IP Port Details Extension',
    '2018-04-09T10:00:00-00:00',
    "Floating IPs with their ports' facts",
  ),
  extension(
    'floating-ip-port-forwarding',
    'Floating IP Port Forwarding',
    '2018-01-19T10:00:00-00:00',
    'Single ports of floating IPs that lead to ports of guests',
  ),
  extension(
    'floating-ip-port-forwarding-description',
    'Floating IP Port Forwarding new attribute description',
    '2019-11-01T10:00:00-00:00',
    'Descriptions of port forwardings',
  ),
  extension(
    'floating-ip-port-forwarding-port-ranges',
    'Floating IP Port Forwarding support port ranges',
    '2020-07-01T10:00:00-00:00',
    'Port forwardings of several ports at once',
  ),
  extension(
    'ip-substring-filtering',
    'IP address substring filtering',
    '2017-11-28T09:00:00-00:00',
    'Filters for parts of addresses',
  ),
  extension('ip_allocation', 'IP Allocation', '2016-06-10T23:00:00-00:00', 'How ports come to addresses'),
  extension('l3_agent_scheduler', 'L3 Agent Scheduler', '2013-02-07T10:00:00-00:00', 'Routers among L3 agents'),
  extension('net-mtu', 'Network MTU', '2015-03-25T10:00:00-00:00', 'MTU of networks'),
  extension('net-mtu-writable', 'Network MTU (writable)', '2017-07-12T00:00:00-00:00', 'MTU of networks can be set'),
  extension(
    'network-ip-availability',
    'Network IP Availability',
    '2015-09-24T00:00:00-00:00',
    'Addresses left in networks',
  ),
  extension('network_availability_zone', 'Network Availability Zone', '2015-01-01T10:00:00-00:00', 'Zones of networks'),
  extension('pagination', 'Pagination support', '2016-06-12T00:00:00-00:00', 'Lists come in pages'),
  extension('port-security', 'Port Security', '2012-07-23T10:00:00-00:00', 'Filters of ports on and off'),
  extension(
    'port-security-groups-filtering',
    'Port filtering on security groups',
    '2018-01-09T09:00:00-00:00',
    'Filters for ports of groups',
  ),
  extension('project-id', 'project_id field enabled', '2016-09-09T09:09:09-09:09', 'Owners under the newer name'),
  extension('provider', 'Provider Network', '2012-09-07T10:00:00-00:00', 'Segments of networks'),
  extension('quota_details', 'Quota details management support', '2017-02-10T10:00:00-00:00', 'Limits with usage'),
  extension('quotas', 'Quota management support', '2012-07-29T10:00:00-00:00', 'Limits per project'),
  extension(
    'rbac-address-scope',
    'Add address_scope type to RBAC',
    '2020-02-12T00:00:00-00:00',
    'Sharing of address scopes',
  ),
  extension('rbac-policies', 'RBAC Policies', '2015-06-17T12:15:12-00:00', 'Sharing with chosen projects'),
  extension(
    'rbac-security-groups',
    'Add security_group type to network RBAC',
    '2019-02-14T00:00:00-00:00',
    'Sharing of security groups',
  ),
  extension('rbac-subnetpool', 'Add subnetpool type to RBAC', '2020-02-05T00:00:00-00:00', 'Sharing of subnet pools'),
  extension(
    'revision-if-match',
    'If-Match constraints based on revision_number',
    '2016-12-11T00:00:00-00:00',
    'Changes of a known revision only',
  ),
  extension('router', 'Neutron L3 Router', '2012-07-20T10:00:00-00:00', 'Routers and floating IPs'),
  extension('router_availability_zone', 'Router Availability Zone', '2015-01-01T10:00:00-00:00', 'Zones of routers'),
  extension('security-group', 'security-group', '2012-10-05T10:00:00-00:00', 'Groups of ports with rules'),
  extension(
    'security-groups-normalized-cidr',
    'Normalized CIDR field for security group rules',
    '2020-07-28T10:00:00-00:00',
    'Prefixes of rules without host bits',
  ),
  extension(
    'security-groups-rules-belongs-to-default-sg',
    'Security group rule belongs to the project',
    '2023-05-23T10:00:00-00:00',
    'Whether a rule is of a default group',
  ),
  extension(
    'security-groups-shared-filtering',
    'Security group filtering on the shared field',
    '2021-10-05T09:00:00-00:00',
    'Filters for shared groups',
  ),
  extension(
    'service-type',
    'Neutron Service Type Management',
    '2013-01-20T00:00:00-00:00',
    'Providers of advanced services',
  ),
  extension(
    'sort-key-validation',
    'Sort keys validation',
    '2018-07-04T10:00:00-00:00',
    'Unknown sort keys are refused',
  ),
  extension('sorting', 'Sorting support', '2016-06-12T00:00:00-00:00', 'Lists in a chosen order'),
  extension(
    'standard-attr-description',
    'standard-attr-description',
    '2016-02-10T10:00:00-00:00',
    'Descriptions of resources',
  ),
  extension(
    'standard-attr-revisions',
    'Resource revision numbers',
    '2016-04-11T10:00:00-00:00',
    'Revisions of resources',
  ),
  extension(
    'standard-attr-tag',
    'Tag support for resources with standard attribute',
    '2017-01-01T00:00:00-00:00',
    'Tags of resources',
  ),
  extension(
    'standard-attr-timestamp',
    'Resource timestamps',
    '2016-09-12T10:00:00-00:00',
    'When resources were made and changed',
  ),
  extension(
    'stateful-security-group',
    'Stateful security group',
    '2019-11-26T09:00:00-00:00',
    'Groups that know connections or do not',
  ),
  extension(
    'subnet-dns-publish-fixed-ip',
    'Subnet DNS publish fixed IP',
    '2019-05-24T10:00:00-00:00',
    'Whether addresses of a subnet get names',
  ),
  extension(
    'subnet-service-types',
    'Subnet service types',
    '2016-03-15T18:00:00-00:00',
    'Subnets for chosen kinds of ports',
  ),
  extension('subnet_allocation', 'Subnet Allocation', '2015-03-30T10:00:00-00:00', 'Prefixes out of pools'),
  extension(
    'subnetpool-prefix-ops',
    'Subnet Pool Prefix Operations',
    '2019-02-08T10:00:00-00:00',
    'Prefixes added to and removed from pools',
  ),
  extension('tag-creation', 'Tag creation extension', '2024-07-23T10:00:00-00:00', 'Several tags added at once'),
  extension(
    'tag-ports-during-bulk-creation',
    'Tag Ports During Bulk Creation',
    '2019-12-29T19:00:00-00:00',
    'Ports with tags from the start',
  ),
  extension(
    'uplink-status-propagation',
    'Uplink status propagation extension',
    '2018-05-31T18:00:00-00:00',
    'Whether ports follow the state of the uplink',
  ),
];
