import type { InstanceSpec } from '@nestack/nova/contract';

/** A server for tests of what it is told. */
export const exampleSpec: InstanceSpec = {
  uuid: 'u1',
  name: 'vm',
  hostname: 'vm',
  project_id: 'p1',
  user_id: 'u1',
  availability_zone: 'nova',
  flavor: {
    id: '1',
    name: 'tiny',
    vcpus: 1,
    memory_mb: 64,
    root_gb: 1,
    ephemeral_gb: 0,
    swap_mb: 0,
    extra_specs: {},
    description: null,
  },
  image: null,
  nics: [],
  volumes: [],
  config_drive: true,
  user_data: Buffer.from('#!/bin/sh\n').toString('base64'),
  key_name: 'k',
  key_data: 'ssh-ed25519 AAAA me',
  metadata: { role: 'web' },
  launch_index: 0,
  reservation_id: 'r-1',
  personality: [{ path: '/etc/motd', contents: Buffer.from('hello').toString('base64') }],
  created_at: '2026-01-01T00:00:00Z',
};
