import type { Logger } from '@nestack/kernel/log';

/** How a host runs its guests. */
export interface LibvirtOptions {
  readonly host: string;
  readonly hostIp: string;
  /** A libvirt that others run; null: the host starts a daemon of its own below `stateDir`. */
  readonly uri: string | null;
  /** Guests' disks and consoles, images, sockets: everything of the host. */
  readonly stateDir: string;
  /** `auto`: KVM where a guest really boots with it. */
  readonly virtType: 'auto' | 'kvm' | 'qemu';
  /** Kernel and initial RAM disk of the small guest image, to try KVM with. */
  readonly probeKernel: string | null;
  readonly probeInitrd: string | null;
  readonly log: Logger;
}
