/** Whether an address may speak to the gate at all: `deny` wins over `allow`; no `allow` means everyone. Pure. */
import type { Access } from '../../config/config.ts';

/** Addresses that the host names in `allow` stand for at this moment. */
export interface HostAddresses {
  has(address: string): boolean;
}

export const NO_HOST_ADDRESSES: HostAddresses = { has: () => false };

/** @param address in the normal form of `normalizeAddress`; anything else is admitted only when there is no `allow`. */
export function mayConnect(address: string, access: Access, hosts: HostAddresses): boolean {
  if (access.deny.has(address)) return false;
  if (access.allow === null) return true;
  return access.allow.has(address) || hosts.has(address);
}
