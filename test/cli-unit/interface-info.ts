/** One entry of what `os.networkInterfaces()` returns. */
import type { NetworkInterfaceInfo } from 'node:os';

export function interfaceInfo(address: string, internal = false): NetworkInterfaceInfo {
  const base = { address, internal, mac: '00:00:00:00:00:00', netmask: '', cidr: null };
  return address.includes(':') ? { ...base, family: 'IPv6', scopeid: 0 } : { ...base, family: 'IPv4' };
}
