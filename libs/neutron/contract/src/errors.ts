import { defineErrors } from '@nestack/kernel/errors';

/** Neutron's errors under the names by which clients know them. upstream: neutron_lib/exceptions, neutron/extensions */
export const NeutronError = defineErrors({
  HTTPBadRequest: { kind: 'badRequest', template: '{reason}' },
  HTTPNotFound: { kind: 'notFound', template: 'The resource could not be found.' },
  BadRequest: { kind: 'badRequest', template: 'Bad {resource} request: {msg}.' },
  InvalidInput: { kind: 'badRequest', template: 'Invalid input for operation: {error_message}.' },
  RevisionNumberConstraintFailed: {
    kind: 'preconditionFailed',
    template: 'Constrained to {expected}, but current revision is {current}',
  },
  OverQuota: { kind: 'overQuota', status: 409, template: 'Quota exceeded for resources: {overs}.' },
  QuotaResourceUnknown: { kind: 'notFound', template: 'Unknown quota resources {unknown}.' },
  TenantQuotaNotFound: { kind: 'notFound', template: 'Quota for project {tenant_id} could not be found.' },
  TenantIdProjectIdFilterConflict: {
    kind: 'badRequest',
    template: 'Both tenant_id and project_id passed as filters.',
  },
  NotAuthorized: { kind: 'forbidden', template: 'Not authorized.' },
  AdminRequired: { kind: 'forbidden', template: 'User does not have admin privileges: {reason}.' },
  ExtensionNotFound: { kind: 'notFound', template: 'Extension with alias {alias} does not exist' },

  NetworkNotFound: { kind: 'notFound', template: 'Network {net_id} could not be found.' },
  NetworkInUse: {
    kind: 'conflict',
    template:
      'Unable to complete operation on network {net_id}. There are one or more ports still in use on the network.',
  },
  NoNetworkAvailable: {
    kind: 'unavailable',
    template: 'Unable to create the network. No project network is available for allocation.',
  },
  TunnelIdInUse: {
    kind: 'conflict',
    template: 'Unable to create the network. The tunnel ID {tunnel_id} is in use.',
  },
  VlanIdInUse: {
    kind: 'conflict',
    template: 'Unable to create the network. The VLAN {vlan_id} on physical network {physical_network} is in use.',
  },
  FlatNetworkInUse: {
    kind: 'conflict',
    template: 'Unable to create the flat network. Physical network {physical_network} is in use.',
  },
  DefaultExternalNetworkExists: {
    kind: 'conflict',
    template: 'A default external network already exists: {net_id}.',
  },
  AutoAllocationFailure: { kind: 'conflict', template: 'Deployment error: {reason}.' },
  InvalidSharedSetting: {
    kind: 'conflict',
    template: 'Unable to reconfigure sharing settings for network {network}. Multiple projects are using it.',
  },
  ExternalNetworkInUse: {
    kind: 'conflict',
    template:
      'External network {net_id} cannot be updated to be made non-external, since it has existing gateway ports.',
  },
  AvailabilityZoneNotFound: {
    kind: 'notFound',
    template: 'AvailabilityZone {availability_zone} could not be found.',
  },
  NetworkMTUSubnetConflict: {
    kind: 'conflict',
    template: 'MTU of {net_id} is not valid, subnet requires a minimum of {mtu}',
  },

  SubnetNotFound: { kind: 'notFound', template: 'Subnet {subnet_id} could not be found.' },
  SubnetInUse: { kind: 'conflict', template: 'Unable to complete operation on subnet {subnet_id}: {reason}.' },
  InvalidAllocationPool: { kind: 'badRequest', template: 'The allocation pool {pool} is not valid.' },
  OverlappingAllocationPools: {
    kind: 'conflict',
    template: 'Found overlapping allocation pools: {pool_1} {pool_2} for subnet {subnet_cidr}.',
  },
  OutOfBoundsAllocationPool: {
    kind: 'badRequest',
    template: 'The allocation pool {pool} spans beyond the subnet cidr {subnet_cidr}.',
  },
  GatewayConflictWithAllocationPools: {
    kind: 'conflict',
    template: 'Gateway ip {ip_address} conflicts with allocation pool {pool}.',
  },
  GatewayIpInUse: {
    kind: 'conflict',
    template: 'Current gateway ip {ip_address} already in use by port {port_id}. Unable to update.',
  },
  DNSNameServersExhausted: {
    kind: 'badRequest',
    template: 'Unable to complete operation for {subnet_id}. The number of DNS nameservers exceeds the limit {quota}.',
  },
  HostRoutesExhausted: {
    kind: 'badRequest',
    template: 'Unable to complete operation for {subnet_id}. The number of host routes exceeds the limit {quota}.',
  },
  InvalidSubnetServiceType: {
    kind: 'badRequest',
    template: 'Subnet service type {service_type} does not correspond to a valid device owner.',
  },
  InvalidInputSubnetServiceType: {
    kind: 'badRequest',
    template: 'Subnet service type {service_type} is not a string.',
  },
  NetworkSubnetPoolAffinityError: {
    kind: 'badRequest',
    template: 'Subnets hosted on the same network must be allocated from the same subnet pool.',
  },
  NetworkAddressScopeAffinityError: {
    kind: 'badRequest',
    template:
      'Subnets of the same address family hosted on the same network must all participate in the same address scope.',
  },

  PortNotFound: { kind: 'notFound', template: 'Port {port_id} could not be found.' },
  PortInUse: {
    kind: 'conflict',
    template:
      'Unable to complete operation on port {port_id} for network {net_id}. Port already has an attached device {device_id}.',
  },
  ServicePortInUse: {
    kind: 'conflict',
    template: 'Port {port_id} cannot be deleted directly via the port API: {reason}.',
  },
  PortBound: {
    kind: 'conflict',
    template:
      'Unable to complete operation on port {port_id}, port is already bound, port type: {vif_type}, old_mac {old_mac}, new_mac {new_mac}.',
  },
  MacAddressInUse: {
    kind: 'conflict',
    template: 'Unable to complete operation for network {net_id}. The mac address {mac} is in use.',
  },
  NetworkMacAddressGenerationFailure: {
    kind: 'unavailable',
    template: 'Unable to generate unique mac on network {net_id}.',
  },
  IpAddressInUse: {
    kind: 'conflict',
    template: 'Unable to complete operation for network {net_id}. The IP address {ip_address} is in use.',
  },
  IpAddressAlreadyAllocated: {
    kind: 'conflict',
    template: 'IP address {ip} already allocated in subnet {subnet_id}',
  },
  IpAddressGenerationFailure: {
    kind: 'conflict',
    template: 'No more IP addresses available on network {net_id}.',
  },
  InvalidIpForNetwork: {
    kind: 'badRequest',
    template: 'IP address {ip_address} is not a valid IP for any of the subnets on the specified network.',
  },
  InvalidIpForSubnet: {
    kind: 'badRequest',
    template: 'IP address {ip_address} is not a valid IP for the specified subnet.',
  },
  UnsupportedPortDeviceOwner: {
    kind: 'conflict',
    template: 'Operation {op} is not supported for device_owner {device_owner} on port {port_id}.',
  },
  DeviceIDNotOwnedByTenant: {
    kind: 'conflict',
    template: 'The following device_id {device_id} is not owned by your project or matches another project router.',
  },
  AllowedAddressPairsMissingIP: { kind: 'badRequest', template: 'AllowedAddressPair must contain ip_address' },
  AllowedAddressPairExhausted: {
    kind: 'badRequest',
    template: 'The number of allowed address pair exceeds the maximum {quota}.',
  },
  DuplicateAddressPairInRequest: {
    kind: 'badRequest',
    template: 'Request contains duplicate address pair: mac_address {mac_address} ip_address {ip_address}.',
  },
  AddressPairAndPortSecurityRequired: {
    kind: 'conflict',
    template: 'Port Security must be enabled in order to have allowed address pairs on a port.',
  },
  PortSecurityPortHasSecurityGroup: {
    kind: 'conflict',
    template:
      'Port has security group associated. Cannot disable port security or IP address until security group is removed.',
  },
  PortSecurityAndIPRequiredForSecurityGroups: {
    kind: 'badRequest',
    template: 'Port security must be enabled and port must have an IP address in order to use security groups.',
  },
  PortBindingNotFound: {
    kind: 'notFound',
    template: 'Binding for port {port_id} for host {host} could not be found.',
  },
  PortBindingAlreadyActive: {
    kind: 'conflict',
    template: 'Binding for port {port_id} on host {host} is already active.',
  },
  PortBindingAlreadyExists: {
    kind: 'conflict',
    template: 'Binding for port {port_id} on host {host} already exists.',
  },
  // Upstream's has no status of its own and so is told as a failure of the server; it is the host that cannot take the port.
  PortBindingError: {
    kind: 'conflict',
    template: 'Binding for port {port_id} on host {host} could not be created or updated.',
  },

  SecurityGroupNotFound: { kind: 'notFound', template: 'Security group {id} does not exist' },
  SecurityGroupInUse: { kind: 'conflict', template: 'Security Group {id} in use.' },
  SecurityGroupCannotRemoveDefault: {
    kind: 'conflict',
    template: 'Insufficient rights for removing default security group.',
  },
  SecurityGroupCannotUpdateDefault: {
    kind: 'conflict',
    template: 'Updating default security group not allowed.',
  },
  SecurityGroupDefaultAlreadyExists: { kind: 'conflict', template: 'Default security group already exists.' },
  SecurityGroupRuleNotFound: { kind: 'notFound', template: 'Security group rule {id} does not exist' },
  SecurityGroupRuleExists: {
    kind: 'conflict',
    template: 'Security group rule already exists. Rule id is {rule_id}.',
  },
  DuplicateSecurityGroupRuleInPost: { kind: 'conflict', template: 'Duplicate Security Group Rule in POST.' },
  SecurityGroupNotSingleGroupRules: {
    kind: 'badRequest',
    template: 'Only allowed to update rules for one security profile at a time',
  },
  SecurityGroupInvalidPortRange: {
    kind: 'badRequest',
    template: 'For TCP/UDP protocols, port_range_min must be <= port_range_max',
  },
  SecurityGroupInvalidProtocolForPort: {
    kind: 'badRequest',
    template: 'Ports cannot be specified for protocol {protocol}. Ports are only supported for {valid_port_protocols}.',
  },
  SecurityGroupInvalidPortValue: { kind: 'badRequest', template: 'Invalid value for port {port}' },
  SecurityGroupInvalidIcmpValue: {
    kind: 'badRequest',
    template: 'Invalid value for ICMP {field} ({attr}) {value}. It must be 0 to 255.',
  },
  SecurityGroupMissingIcmpType: {
    kind: 'badRequest',
    template: 'ICMP code (port-range-max) {value} is provided but ICMP type (port-range-min) is missing.',
  },
  SecurityGroupEthertypeConflictWithProtocol: {
    kind: 'badRequest',
    template: 'Invalid ethertype {ethertype} for protocol {protocol}.',
  },
  SecurityGroupRuleInvalidProtocol: {
    kind: 'badRequest',
    template:
      'Security group rule protocol {protocol} not supported. Only protocol values {values} and integer representations [0 to 255] are supported.',
  },
  SecurityGroupRuleInvalidEtherType: {
    kind: 'badRequest',
    template: "Security group rule for ethertype '{ethertype}' not supported. Allowed values are {values}.",
  },
  SecurityGroupMultipleRemoteEntites: {
    kind: 'badRequest',
    template: 'Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.',
  },
  SecurityGroupProtocolRequiredWithPorts: {
    kind: 'badRequest',
    template: 'Must also specify protocol if port range is given.',
  },
  SecurityGroupRuleParameterConflict: {
    kind: 'badRequest',
    template: 'Conflicting value ethertype {ethertype} for CIDR {cidr}',
  },
  InvalidCIDR: { kind: 'badRequest', template: 'Invalid CIDR {input} given as IP prefix.' },

  SubnetPoolNotFound: { kind: 'notFound', template: 'Subnet pool {subnetpool_id} could not be found.' },
  SubnetPoolDeleteError: { kind: 'badRequest', template: 'Unable to delete subnet pool: {reason}.' },
  // Upstream answers 500, which clients take for a passing failure.
  SubnetAllocationError: { kind: 'conflict', template: 'Failed to allocate subnet: {reason}.' },
  SubnetPoolQuotaExceeded: {
    kind: 'overQuota',
    status: 409,
    template: 'Per-project subnet pool prefix quota exceeded.',
  },
  EmptySubnetPoolPrefixList: { kind: 'badRequest', template: 'Empty subnet pool prefix list.' },
  PrefixVersionMismatch: {
    kind: 'badRequest',
    template: 'Cannot mix IPv4 and IPv6 prefixes in a subnet pool.',
  },
  UnsupportedMinSubnetPoolPrefix: {
    kind: 'badRequest',
    template: "Prefix '{prefix}' not supported in IPv{version} pool.",
  },
  IllegalSubnetPoolPrefixBounds: {
    kind: 'badRequest',
    template: 'Illegal prefix bounds: {prefix_type}={prefixlen}, {base_prefix_type}={base_prefixlen}.',
  },
  IllegalSubnetPoolPrefixUpdate: { kind: 'badRequest', template: 'Illegal update to prefixes: {msg}.' },
  IllegalSubnetPoolUpdate: { kind: 'badRequest', template: 'Illegal subnetpool update : {reason}.' },
  IllegalSubnetPoolAssociationToAddressScope: {
    kind: 'badRequest',
    template:
      'Illegal subnetpool association: subnetpool {subnetpool_id} cannot be associated with address scope {address_scope_id}.',
  },
  IllegalSubnetPoolIpVersionAssociationToAddressScope: {
    kind: 'badRequest',
    template:
      'Illegal subnetpool association: subnetpool {subnetpool_id} cannot associate with address scope {address_scope_id} because subnetpool ip_version is not {ip_version}.',
  },
  MinPrefixSubnetAllocationError: {
    kind: 'badRequest',
    template: 'Unable to allocate subnet with prefix length {prefixlen}, minimum allowed prefix is {min_prefixlen}.',
  },
  MaxPrefixSubnetAllocationError: {
    kind: 'badRequest',
    template: 'Unable to allocate subnet with prefix length {prefixlen}, maximum allowed prefix is {max_prefixlen}.',
  },
  AddressScopeNotFound: { kind: 'notFound', template: 'Address scope {address_scope_id} could not be found.' },
  AddressScopeInUse: {
    kind: 'conflict',
    template:
      'Unable to complete operation on address scope {address_scope_id}. There are one or more subnet pools in use on the address scope.',
  },
  AddressScopeUpdateError: {
    kind: 'badRequest',
    template: 'Unable to update address scope {address_scope_id} : {reason}.',
  },
  AddressScopePrefixConflict: {
    kind: 'conflict',
    template: 'Failed to associate address scope: subnetpools within an address scope must have unique prefixes.',
  },

  RouterNotFound: { kind: 'notFound', template: 'Router {router_id} could not be found' },
  RouterInUse: { kind: 'conflict', template: 'Router {router_id} {reason}' },
  RouterInterfaceNotFound: {
    kind: 'notFound',
    template: 'Router {router_id} does not have an interface with id {port_id}',
  },
  RouterInterfaceNotFoundForSubnet: {
    kind: 'notFound',
    template: 'Router {router_id} has no interface on subnet {subnet_id}',
  },
  RouterInterfaceInUseByFloatingIP: {
    kind: 'conflict',
    template:
      'Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or more floating IPs.',
  },
  RouterInterfaceInUseByRoute: {
    kind: 'conflict',
    template:
      'Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or more routes.',
  },
  RouterExternalGatewayInUseByFloatingIp: {
    kind: 'conflict',
    template:
      'Gateway cannot be updated for router {router_id}, since a gateway to external network {net_id} is required by one or more floating IPs.',
  },
  InvalidRoutes: { kind: 'badRequest', template: 'Invalid format for routes: {routes}, {reason}' },
  RoutesExhausted: {
    kind: 'badRequest',
    template: 'Unable to complete operation for {router_id}. The number of routes exceeds the maximum {quota}.',
  },
  SubnetMismatchForPort: {
    kind: 'badRequest',
    template: 'Subnet on port {port_id} does not match the requested subnet {subnet_id}.',
  },
  FloatingIPNotFound: { kind: 'notFound', template: 'Floating IP {floatingip_id} could not be found' },
  ExternalGatewayForFloatingIPNotFound: {
    kind: 'notFound',
    template:
      'External network {external_network_id} is not reachable from subnet {subnet_id}.  Therefore, cannot associate Port {port_id} with a Floating IP.',
  },
  FloatingIPPortAlreadyAssociated: {
    kind: 'conflict',
    template:
      'Cannot associate floating IP {floating_ip_address} ({fip_id}) with port {port_id} using fixed IP {fixed_ip}, as that fixed IP already has a floating IP on external network {net_id}.',
  },
  PortForwardingNotFound: { kind: 'notFound', template: 'Port Forwarding {id} could not be found.' },
  FipInUseByPortForwarding: {
    kind: 'conflict',
    template: 'Floating IP {id} in use by Port Forwarding resources.',
  },
  PortHasBindingFloatingIP: {
    kind: 'conflict',
    template:
      'Cannot create port forwarding to floating IP {floating_ip_address} ({fip_id}) with port {port_id} using fixed IP {fixed_ip}, as that port already has a binding floating IP.',
  },
  ExternalIpAddressExhausted: {
    kind: 'badRequest',
    template: 'Unable to find any IP address on external network {net_id}.',
  },

  AgentNotFound: { kind: 'notFound', template: 'Agent {id} could not be found.' },
  InvalidDHCPAgent: {
    kind: 'notFound',
    template: 'Agent {id} is not a valid DHCP Agent or has been disabled',
  },
  NetworkHostedByDHCPAgent: {
    kind: 'conflict',
    template: 'The network {network_id} has been already hosted by the DHCP Agent {agent_id}.',
  },
  NetworkNotHostedByDhcpAgent: {
    kind: 'conflict',
    template: 'The network {network_id} is not hosted by the DHCP agent {agent_id}.',
  },
  InvalidL3Agent: { kind: 'notFound', template: 'Agent {id} is not a L3 Agent or has been disabled' },
  RouterHostedByL3Agent: {
    kind: 'conflict',
    template: 'The router {router_id} has been already hosted by the L3 Agent {agent_id}.',
  },
  RouterNotHostedByL3Agent: {
    kind: 'conflict',
    template: 'The router {router_id} is not hosted by L3 agent {agent_id}.',
  },

  RbacPolicyNotFound: {
    kind: 'notFound',
    template: 'RBAC policy of type {object_type} with ID {id} not found',
  },
  RbacPolicyInUse: {
    kind: 'conflict',
    template:
      'RBAC policy on object {object_id} cannot be removed because other objects depend on it.\nDetails: {details}',
  },
  DuplicateRbacPolicy: { kind: 'conflict', template: 'An RBAC policy already exists with those values.' },
  TagResourceNotFound: { kind: 'notFound', template: 'Resource {resource} {resource_id} could not be found.' },
  TagNotFound: { kind: 'notFound', template: 'Tag {tag} could not be found.' },
});
