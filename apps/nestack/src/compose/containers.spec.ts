import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { COMPUTE_APPS, CONTROLLER_APPS } from '../cloud/config-files';

interface Service {
  readonly command?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly ports?: readonly string[];
  readonly privileged?: boolean;
}

const root = path.resolve(import.meta.dirname, '../../../..');
const compose = parse(readFileSync(path.join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const APPS = [...CONTROLLER_APPS, ...COMPUTE_APPS];

describe('docker-compose.yml', () => {
  it('runs every app in a container of its own, with a health check', () => {
    for (const name of APPS) {
      const service = compose.services[name];
      expect(service?.command?.[0]).toBe(`dist/apps/${name}/main.js`);
      expect(service?.healthcheck?.test.join(' ')).toContain('/healthcheck');
      expect(service?.depends_on?.['prepare']?.condition).toBe('service_completed_successfully');
    }
    for (const name of ['postgres', 'rabbitmq']) expect(compose.services[name]?.healthcheck).toBeDefined();
  });

  it('names only services that there are, and publishes on the loopback alone', () => {
    for (const service of Object.values(compose.services)) {
      for (const name of Object.keys(service.depends_on ?? {})) expect(Object.keys(compose.services)).toContain(name);
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('gives special rights to compute hosts only', () => {
    const privileged = Object.entries(compose.services).filter(([, service]) => service.privileged === true);
    expect(privileged.map(([name]) => name).sort()).toEqual([...COMPUTE_APPS].sort());
  });
});

describe('the Dockerfile', () => {
  const text = readFileSync(path.join(root, 'Dockerfile'), 'utf8');

  it('has its base image as an argument and the targets that compose names', () => {
    expect(text).toMatch(/^ARG NODE_IMAGE=/m);
    for (const line of text.match(/^FROM .*$/gm) ?? []) {
      expect(line).toMatch(/^FROM (\$\{NODE_IMAGE\}|packages|service) AS [a-z-]+$/);
    }
    const used = Object.values(compose.services).flatMap((one) => {
      const target = (one as { build?: { target?: string } }).build?.target;
      return target === undefined ? [] : [target];
    });
    for (const target of new Set(used)) expect(text).toContain(` AS ${target}\n`);
  });

  it('runs the services as an ordinary user', () => {
    const service = text.slice(text.indexOf(' AS service'), text.indexOf(' AS compute'));
    expect(service).toContain('USER 1000:1000');
  });
});
