import { NeutronError, type AddressPair, type DhcpOption } from '@nestack/neutron/contract';

/** Address pairs: not too many, none twice. */
export function checkPairs(pairs: readonly AddressPair[], most: number): void {
  if (pairs.length > most) throw NeutronError.AllowedAddressPairExhausted({ quota: most });
  const seen = new Set<string>();
  for (const { ip_address: ip, mac_address: mac } of pairs) {
    const key = `${mac ?? ''} ${ip}`;
    if (seen.has(key)) throw NeutronError.DuplicateAddressPairInRequest({ mac_address: mac ?? 'None', ip_address: ip });
    seen.add(key);
  }
}

/** Options by name and family: given ones replace, null removes, the rest stays. */
export function mergeOptions(known: readonly DhcpOption[], given: readonly DhcpOption[]): DhcpOption[] {
  const key = (one: DhcpOption): string => `${one.opt_name} ${String(one.ip_version)}`;
  const merged = new Map(known.map((one) => [key(one), one]));
  for (const one of given) {
    if (one.opt_value === null) merged.delete(key(one));
    else merged.set(key(one), one);
  }
  return [...merged.values()];
}
