import { DomainError } from '@nestack/kernel/errors';
import { NovaError } from '@nestack/nova/contract';

interface About {
  readonly network_id?: string | null;
  readonly port_id?: string | null;
  readonly address?: string | null;
  readonly instance?: string;
}

/** Neutron's refusal in nova's words; what has none stays as it is. upstream: nova/network/neutron.py */
export function novaErrorOf(error: unknown, about: About): unknown {
  if (!(error instanceof DomainError)) return error;
  const network = about.network_id ?? '';
  switch (error.code) {
    case 'NetworkNotFound':
      return NovaError.NetworkNotFound({ network_id: network });
    case 'PortNotFound':
      return NovaError.PortNotFound({ port_id: about.port_id ?? '' });
    case 'SecurityGroupNotFound':
      return NovaError.BadRequest({ reason: error.message });
    case 'IpAddressGenerationFailure':
    case 'IpAddressGenerationFailureNoMatchingSubnet':
      return NovaError.NoMoreFixedIps({ net: network });
    case 'IpAddressInUse':
    case 'IpAddressAlreadyAllocated':
      return NovaError.FixedIpAlreadyInUse({ address: about.address ?? '', instance_uuid: about.instance ?? '' });
    case 'InvalidIpForNetwork':
    case 'InvalidIpForSubnet':
      return NovaError.InvalidInput({
        reason: `Fixed IP ${about.address ?? ''} is not a valid ip address for network ${network}.`,
      });
    case 'MacAddressInUse':
      return NovaError.PortInUse({ port_id: about.port_id ?? '' });
    case 'OverQuota':
      return NovaError.PortLimitExceeded();
    default:
      return error;
  }
}

/** Runs a call and tells its failure in nova's words. */
export async function inNovasWords<T>(call: Promise<T>, about: About): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw novaErrorOf(error, about);
  }
}

/** The answer, or null when neutron cannot do it as things are. */
export async function unlessConflict<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof DomainError && (error.kind === 'conflict' || error.kind === 'overQuota')) return null;
    throw error;
  }
}
