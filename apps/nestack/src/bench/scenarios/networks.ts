import { timeEach } from '../measure';
import { below, type Scenario } from '../scenario';
import { PREFIX } from '../servers';

/** A network with a subnet and a port, one request after the other. */
export const networkCreate: Scenario = async (bench) => {
  const { rest } = bench;
  const url = `${rest.endpoint('network')}/v2.0`;
  const runs = bench.scaled(20);
  const made: { port: string; network: string }[] = [];
  const timing = await timeEach(runs, 2, bench.pids, async () => {
    const { network } = await rest.post<{ network: { id: string } }>(`${url}/networks`, {
      network: { name: `${PREFIX}network` },
    });
    await rest.post(`${url}/subnets`, {
      subnet: { network_id: network.id, ip_version: 4, cidr: '10.231.0.0/24' },
    });
    const { port } = await rest.post<{ port: { id: string } }>(`${url}/ports`, { port: { network_id: network.id } });
    made.push({ port: port.id, network: network.id });
  });
  for (const { port, network } of made) {
    await rest.call('DELETE', `${url}/ports/${port}`);
    await rest.call('DELETE', `${url}/networks/${network}`);
  }
  return { name: 'network + subnet + port', runs, ...timing, ...below(timing.medianMs, 100) };
};
