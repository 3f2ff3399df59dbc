import Type, { type Static, type TSchema } from 'typebox';
import { authConfig, brokerConfig, commonConfig } from '@nestack/kernel/config';
import { FAKE_OPERATIONS, type FakeOperation } from '@nestack/nova/drivers';

const ratio = (fallback: number, description: string) =>
  Type.Optional(Type.Number({ exclusiveMinimum: 0, default: fallback, description }));
const reserved = (fallback: number, description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, default: fallback, description }));

function perOperation<T extends TSchema>(value: T, description: string) {
  const properties = Object.fromEntries(FAKE_OPERATIONS.map((name) => [name, Type.Optional(value)])) as Record<
    FakeOperation,
    Type.TOptional<T>
  >;
  return Type.Optional(Type.Object(properties, { additionalProperties: false, description }));
}

/** Settings of nova-compute, named as upstream's where it has them. It has no database: it asks the conductor. */
export const novaComputeConfig = Type.Object(
  {
    ...commonConfig,
    ...brokerConfig,
    ...authConfig,
    driver: Type.Optional(
      Type.Union([Type.Literal('libvirt'), Type.Literal('fake')], {
        default: 'libvirt',
        description: 'Real guests, or none with the same states.',
      }),
    ),
    state_path: Type.String({ description: "Directory of this host's guests: disks, consoles, image cache." }),
    my_ip: Type.Optional(Type.String({ default: '127.0.0.1', description: 'Address of this host.' })),
    force_config_drive: Type.Optional(
      Type.Boolean({ default: false, description: 'A config drive for every guest, asked for or not.' }),
    ),
    cpu_allocation_ratio: ratio(4, 'Guests’ processors for each of the host.'),
    ram_allocation_ratio: ratio(1, 'Guests’ memory for each byte of the host.'),
    disk_allocation_ratio: ratio(1, 'Guests’ disk for each byte of the host.'),
    reserved_host_cpus: reserved(0, 'Processors that guests do not get.'),
    reserved_host_memory_mb: reserved(512, 'MiB of memory that guests do not get.'),
    reserved_host_disk_mb: reserved(0, 'MiB of disk that guests do not get.'),
    libvirt_uri: Type.Optional(
      Type.String({
        description: 'A libvirt that runs already (qemu+unix:///system?socket=…); without it the host starts its own.',
      }),
    ),
    virt_type: Type.Optional(
      Type.Union([Type.Literal('auto'), Type.Literal('kvm'), Type.Literal('qemu')], {
        default: 'auto',
        description: 'auto: KVM where a guest really boots with it, emulation elsewhere.',
      }),
    ),
    vnc: Type.Optional(
      Type.Object(
        {
          enabled: Type.Optional(Type.Boolean({ default: true, description: 'Whether consoles are led to browsers.' })),
          server_listen: Type.Optional(
            Type.String({
              description:
                'Where nova-novncproxy comes for the screens of this host; `my_ip` when absent. Never a public address.',
            }),
          ),
          server_port: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 65535, default: 6100, description: 'Its port; 0 takes a free one.' }),
          ),
          server_proxyclient_address: Type.Optional(
            Type.String({ description: 'How nova-novncproxy calls this host; `my_ip` when absent.' }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    probe_kernel: Type.Optional(Type.String({ description: 'Kernel of the small guest image, to try KVM with.' })),
    probe_initrd: Type.Optional(Type.String({ description: 'Its initial RAM disk.' })),
    fake: Type.Optional(
      Type.Object(
        {
          vcpus: Type.Optional(Type.Integer({ minimum: 1, default: 1000 })),
          memory_mb: Type.Optional(Type.Integer({ minimum: 1, default: 1_000_000 })),
          local_gb: Type.Optional(Type.Integer({ minimum: 1, default: 100_000 })),
          delays_ms: perOperation(Type.Integer({ minimum: 0 }), 'How long operations take.'),
          failure_percent: perOperation(Type.Number({ minimum: 0, maximum: 100 }), 'How often operations fail.'),
        },
        { additionalProperties: false, description: 'The simulated host.' },
      ),
    ),
  },
  { additionalProperties: false },
);

export type NovaComputeConfig = Static<typeof novaComputeConfig>;
