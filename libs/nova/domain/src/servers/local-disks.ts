import type { FlavorSnapshot } from '@nestack/nova/contract';
import type { LocalDisks } from '../instance';

/** What a guest has of local disks beside its root: sizes of ephemeral ones in GiB, in order, and its swap's in MiB, 0 for none. */
export interface LocalSizes {
  readonly ephemerals: readonly number[];
  readonly swap_mb: number;
}

/** A server's local disks: those that its user chose, else one as large as its flavor has, never more than its flavor has in all. */
export function localSizes(
  flavor: Pick<FlavorSnapshot, 'ephemeral_gb' | 'swap_mb'>,
  chosen: LocalDisks = {},
): LocalSizes {
  const { ephemeral_gb, ephemerals = ephemeral_gb === undefined ? [flavor.ephemeral_gb] : [ephemeral_gb] } = chosen;
  let left = flavor.ephemeral_gb;
  const fitting = ephemerals.map((size) => {
    const room = Math.min(size, left);
    left -= room;
    return room;
  });
  return {
    ephemerals: fitting.filter((size) => size > 0),
    swap_mb: Math.min(chosen.swap_mb ?? flavor.swap_mb, flavor.swap_mb),
  };
}

/**
 * What local disks are called: ephemeral ones, then swap, by the first names that neither the root nor a volume has.
 * upstream: nova/virt/libvirt/blockinfo.py (_get_disk_mapping)
 */
export function localDevices(
  { ephemerals, swap_mb }: LocalSizes,
  volumes: readonly (string | null)[],
): { readonly ephemerals: readonly string[]; readonly swap: string | null } {
  const taken = new Set<string | null>(['/dev/vda', ...volumes]);
  const take = (): string => {
    const name = firstFree(taken) ?? '/dev/vdz';
    taken.add(name);
    return name;
  };
  return { ephemerals: ephemerals.map(take), swap: swap_mb > 0 ? take() : null };
}

/** The first `/dev/vdX` behind the root's that is not taken; null when all are. */
export function firstFree(taken: ReadonlySet<string | null>): string | null {
  for (const letter of 'bcdefghijklmnopqrstuvwxyz') {
    const name = `/dev/vd${letter}`;
    if (!taken.has(name)) return name;
  }
  return null;
}
