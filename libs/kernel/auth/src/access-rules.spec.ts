import { describe, expect, it } from '@jest/globals';
import { accessAllowed } from './access-rules';

const allowed = (path: string, asked: string, method = 'GET', service = 'compute') =>
  accessAllowed([{ service: 'compute', method: 'GET', path }], { services: [service], method, path: asked });

describe('access rules', () => {
  it('allow what they name and nothing else', () => {
    expect(allowed('/v2.1/servers', '/v2.1/servers')).toBe(true);
    expect(allowed('/v2.1/servers', '/v2.1/servers/1')).toBe(false);
    expect(allowed('/v2.1/servers', '/v2x1/servers')).toBe(false);
    expect(allowed('/v2.1/servers', '/v2.1/servers', 'POST')).toBe(false);
    expect(allowed('/v2.1/servers', '/v2.1/servers', 'GET', 'image')).toBe(false);
    expect(accessAllowed([], { services: ['compute'], method: 'GET', path: '/' })).toBe(false);
  });

  it('know parts and rests of paths', () => {
    for (const path of ['/v2.1/servers/{server_id}', '/v2.1/servers/*']) {
      expect(allowed(path, '/v2.1/servers/1')).toBe(true);
      expect(allowed(path, '/v2.1/servers/1/ips')).toBe(false);
      expect(allowed(path, '/v2.1/servers/')).toBe(false);
    }
    expect(allowed('/v2.1/**', '/v2.1/servers/1/ips')).toBe(true);
    expect(allowed('/v2.1/*/1', '/v2.1/servers/1')).toBe(true);
  });
});
