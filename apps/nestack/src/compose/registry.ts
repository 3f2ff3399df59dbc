import type { AppDeclaration } from '@nestack/kernel/app';

/** All apps by name. Each is loaded only where its role runs. */
export const APPS: Readonly<Record<string, () => Promise<{ readonly app: unknown }>>> = {
  keystone: () => import('@nestack/app/keystone'),
  glance: () => import('@nestack/app/glance'),
  placement: () => import('@nestack/app/placement'),
  cinder: () => import('@nestack/app/cinder'),
  neutron: () => import('@nestack/app/neutron'),
  'neutron-agent': () => import('@nestack/app/neutron-agent'),
  'nova-api': () => import('@nestack/app/nova-api'),
  'nova-conductor': () => import('@nestack/app/nova-conductor'),
  'nova-scheduler': () => import('@nestack/app/nova-scheduler'),
  'nova-novncproxy': () => import('@nestack/app/nova-novncproxy'),
  'nova-compute': () => import('@nestack/app/nova-compute'),
};

/** The declaration of an app by its name; throws for unknown ones. */
export async function loadApp(name: string): Promise<AppDeclaration> {
  const load = APPS[name];
  if (load === undefined) throw new Error(`no app named ${name}; there are ${Object.keys(APPS).join(', ')}`);
  return (await load()).app as AppDeclaration;
}
