import Type, { type Static } from 'typebox';
import { apiConfig, authConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';

export const ROLES = ['api', 'scheduler', 'volume', 'backup'] as const;
export type Role = (typeof ROLES)[number];

const whole = (fallback: number, description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, default: fallback, description }));

const fakeNumber = Type.Optional(Type.Number({ minimum: 0 }));
const FakeNumbers = Type.Object(
  {
    create_volume: fakeNumber,
    delete_volume: fakeNumber,
    extend_volume: fakeNumber,
    create_snapshot: fakeNumber,
    delete_snapshot: fakeNumber,
    initialize_connection: fakeNumber,
    terminate_connection: fakeNumber,
    copy_volume_to_image: fakeNumber,
  },
  { additionalProperties: false },
);

const driver = Type.Union([Type.Literal('nbd'), Type.Literal('fake')], {
  description: 'Backend of the role volume: files served over NBD, or none at all.',
});
const backendName = Type.String({
  pattern: '^[A-Za-z0-9_.-]{1,64}$',
  description: "The backend's and its pool's name; the driver's when absent.",
});
const fakeBackend = Type.Object(
  {
    capacity_gb: whole(100_000, 'Capacity that the fake backend reports, GiB.'),
    delays: Type.Optional(FakeNumbers),
    failures: Type.Optional(FakeNumbers),
  },
  { additionalProperties: false, description: 'Milliseconds that operations take, and how many in 100 fail.' },
);

/** Settings of cinder. */
export const cinderConfig = Type.Object(
  {
    ...commonConfig,
    ...apiConfig,
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, default: 8776 })),
    ...databaseConfig,
    ...brokerConfig,
    ...authConfig,
    roles: Type.Optional(
      Type.Array(
        Type.Union([Type.Literal('api'), Type.Literal('scheduler'), Type.Literal('volume'), Type.Literal('backup')]),
        {
          default: [...ROLES],
          minItems: 1,
          description: "Which of cinder's parts run in this process.",
        },
      ),
    ),
    driver,
    state_path: Type.String({ description: 'Directory of the volumes, their snapshots and exports.' }),
    volume_backend_name: Type.Optional(backendName),
    backends: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: backendName,
            driver,
            state_path: Type.String({ description: 'Directory of its own.' }),
            availability_zone: Type.Optional(Type.String()),
            nbd_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
            fake: Type.Optional(fakeBackend),
          },
          { additionalProperties: false },
        ),
        { description: 'Further backends of the role volume, beside the one that the settings above describe.' },
      ),
    ),
    nbd_address: Type.Optional(
      Type.String({ description: 'Address that other hosts reach exports at; without one only this host can.' }),
    ),
    nbd_port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, default: 10809 })),
    availability_zone: Type.Optional(Type.String({ default: 'nova' })),
    max_over_subscription_ratio: Type.Optional(
      Type.Number({ minimum: 1, default: 20, description: 'How many times its capacity may a backend promise.' }),
    ),
    quota: Type.Optional(
      Type.Object(
        {
          volumes: Type.Optional(Type.Integer({ minimum: -1 })),
          snapshots: Type.Optional(Type.Integer({ minimum: -1 })),
          gigabytes: Type.Optional(Type.Integer({ minimum: -1 })),
          backups: Type.Optional(Type.Integer({ minimum: -1 })),
          backup_gigabytes: Type.Optional(Type.Integer({ minimum: -1 })),
          groups: Type.Optional(Type.Integer({ minimum: -1 })),
          per_volume_gigabytes: Type.Optional(Type.Integer({ minimum: -1 })),
        },
        { additionalProperties: false, description: 'Default limits of projects, -1 for none.' },
      ),
    ),
    backup_posix_path: Type.Optional(
      Type.String({
        description:
          'Directory of backups, `backup` below state_path when absent; the role backup runs on the host of the role volume.',
      }),
    ),
    backup_file_size: Type.Optional(
      Type.Integer({
        minimum: 1,
        default: 52_428_800,
        description: 'Bytes of a volume that go into one file of a backup.',
      }),
    ),
    backup_sha_block_size_bytes: Type.Optional(
      Type.Integer({ minimum: 1, default: 32_768, description: 'Bytes by which incremental backups track changes.' }),
    ),
    scheduler_weigher: Type.Optional(
      Type.Union(
        [Type.Literal('CapacityWeigher'), Type.Literal('AllocatedCapacityWeigher'), Type.Literal('ChanceWeigher')],
        {
          default: 'CapacityWeigher',
          description:
            'Which of the backends that suit a volume is the best: the one with the most room, with the least promised, or any.',
        },
      ),
    ),
    fake: Type.Optional(fakeBackend),
  },
  { additionalProperties: false },
);

export type CinderConfig = Static<typeof cinderConfig>;

/** The parts that a process runs; all when none are named. */
export function rolesOf(config: Pick<CinderConfig, 'roles'>): ReadonlySet<Role> {
  return new Set(config.roles ?? ROLES);
}
