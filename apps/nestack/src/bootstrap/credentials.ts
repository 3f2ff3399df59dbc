import { stringify } from 'yaml';
import { writeAtomically } from '../cloud/files';
import type { Layout } from '../cloud/layout';
import { secretOf, type CloudSettings } from '../cloud/settings';
import { REGION } from './identity';

/** Text of an openrc file for one user, in the form that every OpenStack client reads. */
export function openrcOf(authUrl: string, username: string, project: string, password: string): string {
  const variables: Record<string, string> = {
    OS_AUTH_URL: authUrl,
    OS_USERNAME: username,
    OS_PASSWORD: password,
    OS_PROJECT_NAME: project,
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_REGION_NAME: REGION,
    OS_IDENTITY_API_VERSION: '3',
    OS_IMAGE_API_VERSION: '2',
    OS_VOLUME_API_VERSION: '3',
  };
  const lines = Object.entries(variables).map(([key, value]) => `export ${key}=${quoted(value)}`);
  return [
    `# ${username} in the project ${project}; clouds.yaml beside this file has the demo user, too`,
    'unset OS_CLOUD OS_TOKEN OS_AUTH_TYPE OS_PROJECT_ID OS_USER_DOMAIN_ID OS_PROJECT_DOMAIN_ID',
    ...lines,
    '',
  ].join('\n');
}

/** Text of a clouds.yaml with `nestack` (the demo user) and `nestack-admin`. */
export function cloudsYamlOf(authUrl: string, passwords: { readonly admin: string; readonly demo: string }): string {
  const cloud = (username: string, project: string, password: string): object => ({
    auth: {
      auth_url: authUrl,
      username,
      password,
      project_name: project,
      user_domain_name: 'Default',
      project_domain_name: 'Default',
    },
    region_name: REGION,
    interface: 'public',
    identity_api_version: 3,
  });
  return stringify({
    clouds: {
      nestack: cloud('demo', 'demo', passwords.demo),
      'nestack-admin': cloud('admin', 'admin', passwords.admin),
    },
  });
}

/** Writes openrc (admin), openrc-demo and clouds.yaml, readable by their owner alone. */
export function writeCredentials(layout: Layout, settings: CloudSettings, authUrl: string): void {
  const passwords = { admin: secretOf(settings, 'admin'), demo: secretOf(settings, 'demo') };
  writeAtomically(layout.openrc, openrcOf(authUrl, 'admin', 'admin', passwords.admin), 0o600);
  writeAtomically(`${layout.openrc}-demo`, openrcOf(authUrl, 'demo', 'demo', passwords.demo), 0o600);
  writeAtomically(layout.cloudsYaml, cloudsYamlOf(authUrl, passwords), 0o600);
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}
