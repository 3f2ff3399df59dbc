const NEUTRON = 'a networking extension that is not there';
const FEDERATION = 'federation is not there';
const LIVE = 'live migration is not there';
const MOVES = 'needs two hosts; servers that move have tests of their own';

/** Commands of the clients that the week does not run, by how they begin, with the reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  // Services of their own.
  'accelerator ': 'Cyborg',
  'bgp ': 'neutron-dynamic-routing',
  'bgpvpn ': 'networking-bgpvpn',
  'container ': 'Swift',
  'firewall ': 'neutron-fwaas',
  'object ': 'Swift',
  'sfc ': 'networking-sfc',
  'share ': 'Manila',
  'server add share ': 'Manila',
  'server remove share ': 'Manila',
  'server share ': 'Manila',
  'tap ': 'tap-as-a-service',
  'vpn ': 'neutron-vpnaas',
  'block storage resource filter show': 'the library of the distribution breaks on the answer',
  // What the README says is not there.
  'federation ': FEDERATION,
  'identity provider ': FEDERATION,
  'mapping ': FEDERATION,
  'service provider ': FEDERATION,
  'address group ': NEUTRON,
  'default security group rule ': NEUTRON,
  'local ip ': NEUTRON,
  'network flavor ': NEUTRON,
  'network l3 conntrack helper ': NEUTRON,
  'network log ': NEUTRON,
  'network loggable ': NEUTRON,
  'network meter ': NEUTRON,
  'network onboard ': NEUTRON,
  'network qos ': NEUTRON,
  'network segment ': NEUTRON,
  'network subport ': NEUTRON,
  'network trunk ': NEUTRON,
  'network agent router set ': 'priorities of OVN alone',
  'router ndp proxy ': NEUTRON,
  'security group default statefulness ': NEUTRON,
  'subnet pool add network ': NEUTRON,
  'cached image ': "glance's cache is not there",
  'image stores ': 'there is one store',
  'block storage cluster ': 'clusters of volume services are not there',
  'block storage cleanup ': 'clusters of volume services are not there',
  'block storage log level ': 'log levels are a setting',
  'block storage snapshot manageable ': 'the backends have nothing to take over',
  'block storage volume manageable ': 'the backends have nothing to take over',
  'volume host failover ': 'replication is not there',
  'volume group failover ': 'replication is not there',
  'server migrate ': MOVES,
  'server migration abort ': LIVE,
  'server migration force complete ': LIVE,
  'server evacuate ': 'evacuation is not there',
  'aggregate cache image ': 'images are not fetched beforehand',
  // What OpenStack itself has given up.
  'consistency group ': 'gone from cinder',
  'compute agent ': 'gone from nova',
  'host ': "nova's older API of hosts; tested with its other older APIs",
  'floating ip pool ': 'of nova-network only',
  // Of the client alone.
  'cloud cache delete ': 'about files of the client',
  'complete ': 'about the shell',
  'help ': 'about the client',
};

/** Commands that only the newest client can. */
const NEWEST_ONLY: Readonly<Record<string, string>> = {
  'volume group ': "the distribution's stumbles over itself when it shows groups and their types",
};

/** Why the week of a client does not run a command; null when it has to. */
export function leftOut(command: string, label: 'distribution' | 'newest'): string | null {
  const reasons = label === 'newest' ? LEFT_OUT : { ...LEFT_OUT, ...NEWEST_ONLY };
  const [, reason = null] = Object.entries(reasons).find(([prefix]) => `${command} `.startsWith(prefix)) ?? [];
  return reason;
}
