import { createServer } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { until } from '../../cloud';
import { shown, type RealLab } from './real-lab';

/** Routers between networks and to the outside: chapter 9.4.8. */
export function routerScenarios(real: () => RealLab): void {
  let router = '';
  let outside = '';
  let own = '';
  let floating = '';
  const namespace = (): string => `qrouter-${router}`;
  const addresses = (): Promise<string> => shown(namespace(), 'ip', '-br', 'address');

  /** A web server outside that answers with the address that it was asked from. */
  const withServer = async <T>(use: (url: string) => Promise<T>): Promise<T> => {
    const server = createServer((request, response) => response.end(request.socket.remoteAddress));
    await new Promise<void>((resolve) => server.listen(0, outside, resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      return await use(`http://${outside}:${port}/`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };
  const seenAs = (name: string): Promise<string> =>
    withServer((url) => real().said(name, `timeout 10 wget -q -O - ${url}`));

  describe('routers', () => {
    it('S-9.4.8.3 a router is a namespace with a leg in each network', async () => {
      const { demo } = real().lab;
      router = (await demo.json<{ id: string }>('router create r')).id;
      await demo.run('router add subnet r lan14');
      await demo.run('router add subnet r lan24');
      await until('both legs', async () => {
        const text = await addresses();
        return /^qr-\S+ .*172\.16\.1\.1\/24/m.test(text) && /^qr-\S+ .*172\.16\.2\.1\/24/m.test(text);
      });
      expect((await shown(namespace(), 'sysctl', '-n', 'net.ipv4.ip_forward')).trim()).toBe('1');
    });

    it('S-9.4.8.4 a guest reaches a guest of the other network, one hop further', async () => {
      const there = real().guest('vm3').address;
      const text = await real().said('vm1', `ping -c 1 -W 3 ${there}`);
      expect(text).toMatch(/ttl=63/);
      expect(await real().said('vm1', 'ip route')).toMatch(/^default via 172\.16\.1\.1 /m);
      expect(await real().said('vm1', `sudo traceroute -n -m 2 -w 2 -q 1 ${there}`)).toMatch(/^ *1 +172\.16\.1\.1 /m);
    });

    it('S-9.4.8.8 the router gets a gateway', async () => {
      const { admin, demo } = real().lab;
      await demo.run('router set --external-gateway public r');
      outside = (await admin.json<{ gateway_ip: string }>('subnet show public-subnet')).gateway_ip;
      own = await until('its address outside', async () => /^qg-\S+ .*? ([\d.]+)\/24/m.exec(await addresses())?.[1]);
      await until('its route', async () =>
        (await shown(namespace(), 'ip', 'route')).startsWith(`default via ${outside} dev qg-`),
      );
    });

    it("S-9.4.8.9 guests reach the outside under the router's address", async () => {
      expect(await real().said('vm1', `ping -c 1 -W 3 ${outside}`)).toMatch(/ 0% packet loss/);
      expect(await seenAs('vm1')).toBe(own);
      const rules = await shown(namespace(), 'nft', 'list', 'ruleset');
      expect(rules).toMatch(new RegExp(`oifname "qg-\\S+" snat to ${own}`));
    });

    it('S-9.4.8.10 a floating IP is allocated and associated', async () => {
      const { demo } = real().lab;
      floating = (await demo.json<{ floating_ip_address: string }>('floating ip create public')).floating_ip_address;
      await demo.run(`server add floating ip vm1 ${floating}`);
      await demo.becomes(`floating ip show ${floating}`, 'ACTIVE');
      await until('its address on the router', async () =>
        (await addresses()).split('\n').some((line) => line.startsWith('qg-') && line.includes(`${floating}/32`)),
      );
    });

    it('S-9.4.8.11 from outside the guest is reached by it, and knows nothing of it', async () => {
      const said = async (command: string): Promise<string> =>
        until(`ssh ${floating}`, async () => {
          const ended = await real().ssh(null, floating, command);
          return ended.code === 0 && ended.stdout;
        });
      expect(await said('hostname')).toBe('vm1\n');
      const inGuest = await said('ip address');
      expect(inGuest).toContain(real().guest('vm1').address);
      expect(inGuest).not.toContain(floating);
      expect(await seenAs('vm1')).toBe(floating);
      const rules = await shown(namespace(), 'nft', 'list', 'ruleset');
      expect(rules).toMatch(new RegExp(`dnat to ip daddr map \\{ ${floating} : ${real().guest('vm1').address} \\}`));
    });

    it('S-9.4.8.5 routers of networks with equal addresses do not disturb each other', async () => {
      const { demo } = real().lab;
      await real().networkWith('equal', '172.16.1.0/24');
      const other = (await demo.json<{ id: string }>('router create r2')).id;
      await demo.run('router add subnet r2 equal4');
      await until('its leg', async () =>
        /^qr-\S+ .*172\.16\.1\.1\/24/m.test(await shown(`qrouter-${other}`, 'ip', '-br', 'address')),
      );
      expect(await real().pings(`qrouter-${other}`, real().guest('vm1').address)).toBe(false);
      expect(await real().pings(null, floating)).toBe(true);
      expect(await real().pings(namespace(), real().guest('vm1').address)).toBe(true);
      await demo.run('router remove subnet r2 equal4');
      await demo.run('router delete r2');
      await until('its namespace to go', async () => !(await shown(null, 'ip', 'netns', 'list')).includes(other));
      await demo.run('network delete equal');
    });
  });
}
