import { RestError, type Rest } from './rest';

const IMAGE = 'OS::Glance::Image';

/**
 * Definitions of metadata that mean something here, so that clients can offer them: properties by which an image chooses its
 * guests' hardware, and what is commonly said of the system in an image. Their names are upstream's.
 */
const NAMESPACES = [
  {
    namespace: 'OS::Compute::LibvirtImage',
    display_name: 'Hardware of guests',
    description: 'By what devices guests of an image are given their disks and networks.',
    visibility: 'public',
    protected: true,
    resource_type_associations: [
      { name: IMAGE, prefix: 'hw_' },
      { name: 'OS::Cinder::Volume', prefix: 'hw_', properties_target: 'image' },
    ],
    properties: {
      disk_bus: {
        title: 'Disk bus',
        description: 'The controller that disks hang on.',
        type: 'string',
        enum: ['virtio', 'scsi', 'sata', 'ide', 'usb'],
      },
      vif_model: {
        title: 'Network card',
        description: 'The network card that a guest sees.',
        type: 'string',
        enum: ['virtio', 'e1000', 'e1000e', 'rtl8139', 'ne2k_pci', 'pcnet', 'vmxnet3'],
      },
    },
  },
  {
    namespace: 'OS::OperatingSystem',
    display_name: 'Operating system',
    description: 'Which system is in an image, and who logs in to it.',
    visibility: 'public',
    protected: true,
    resource_type_associations: [{ name: IMAGE }, { name: 'OS::Cinder::Volume', properties_target: 'image' }],
    properties: {
      os_distro: { title: 'Distribution', description: 'Its short name, such as debian.', type: 'string' },
      os_version: { title: 'Version', description: "The distribution's version.", type: 'string' },
      os_admin_user: { title: 'Administrator', description: 'The user to log in as.', type: 'string' },
    },
  },
] as const;

/** Makes the definitions that are missing; those that are there stay as they are. */
export async function ensureMetadefs(rest: Rest): Promise<void> {
  const url = `${rest.endpoint('image')}/v2/metadefs/namespaces`;
  for (const body of NAMESPACES) {
    await rest.post(url, body).catch((error: unknown) => {
      if (!(error instanceof RestError) || error.status !== 409) throw error;
    });
  }
}
