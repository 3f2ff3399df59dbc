import { request } from 'undici';
import { portOf, type CloudSettings } from '../cloud/settings';
import { SERVICE_PORTS, localHost } from './cloud';

export interface ServiceHealth {
  readonly name: string;
  readonly url: string;
  readonly healthy: boolean;
  readonly detail: string;
}

/** Asks `/healthcheck` of one service; never throws. */
export async function healthOf(url: string, timeoutMs = 3000): Promise<{ healthy: boolean; detail: string }> {
  try {
    const response = await request(`${url}/healthcheck`, { headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
    const text = (await response.body.text()).trim();
    return {
      healthy: response.statusCode === 200,
      detail: response.statusCode === 200 ? 'healthy' : text.slice(0, 200),
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { healthy: false, detail: code === 'ECONNREFUSED' ? 'does not listen' : (error as Error).message };
  }
}

/** The health of all services that listen to clients. */
export function serviceHealth(settings: CloudSettings): Promise<ServiceHealth[]> {
  return Promise.all(
    SERVICE_PORTS.map(async (name) => {
      const url = `http://${localHost(settings)}:${portOf(settings, name)}`;
      return { name, url, ...(await healthOf(url)) };
    }),
  );
}
