import { afterAll, beforeAll, jest } from '@jest/globals';
import { bootScenarios, guestScenarios, volumeScenarios } from './real/guests';
import { guestNetworkScenarios, networkScenarios, sixScenarios } from './real/networks';
import { RealLab } from './real/real-lab';
import { routerScenarios } from './real/routers';
import { twoHostScenarios } from './real/two-hosts';

jest.setTimeout(300_000);

/**
 * Real guests, networks and hosts on one cloud: two networks, two guests in the first and one, on a volume, in the second, a further
 * one on a second host. Each test goes on from what those before it have made, as the book's chapters do.
 */
let shared: RealLab;
const real = (): RealLab => shared;

beforeAll(async () => {
  shared = await RealLab.up();
  await shared.networkWith('lan1', '172.16.1.0/24');
  await shared.networkWith('lan2', '172.16.2.0/24');
  await shared.networkWith('twin', '172.16.1.0/24');
  await shared.lab.admin.run('flavor create --vcpus 2 --ram 256 --disk 1 duo');
  await shared.ask('vm1', 'lan1', 'duo');
  await shared.ask('vm2', 'lan1', 'm1.tiny');
  const { demo } = shared.lab;
  await demo.run('volume create --image cirros --size 1 --bootable root');
  await demo.becomes('volume show root', 'available');
  await shared.ask('vm3', 'lan2', 'm1.tiny', '--volume root');
}, 600_000);

afterAll(async () => {
  await shared.end();
}, 180_000);

networkScenarios(real);
sixScenarios(real);
bootScenarios(real);
guestNetworkScenarios(real);
guestScenarios(real);
routerScenarios(real);
twoHostScenarios(real);
volumeScenarios(real);
