/** Who a request is from by its addresses, and whether that address may speak: the client behind a trusted proxy. Pure. */
import type { Access } from '../../config/config.ts';
import type { DenyReason } from '../deny-reasons.ts';
import { mayConnect } from './addresses.ts';
import type { HostAddresses } from './addresses.ts';
import { clientAddress } from './forwarded-for.ts';

export type ClientVerdict =
  | { readonly kind: 'admitted'; readonly address: string; readonly forwarded: boolean }
  /** `address` is null when X-Forwarded-For cannot be read. */
  | {
      readonly kind: 'refused';
      readonly reason: Extract<DenyReason, 'bad_forwarded_for' | 'address_denied'>;
      readonly address: string | null;
      readonly detail?: string;
    };

/**
 * The peer of a direct connection was asked before TLS; whom a proxy speaks for is asked with every request.
 * @param header X-Forwarded-For, several joined with a comma.
 */
export function judgeClient(
  peer: string,
  header: string | undefined,
  access: Access,
  hosts: HostAddresses,
): ClientVerdict {
  const client = clientAddress(peer, header, access.trustedProxies);
  if (client.kind === 'fault') {
    return { kind: 'refused', reason: 'bad_forwarded_for', address: null, detail: client.detail };
  }
  const { address, forwarded } = client;
  if (forwarded && !mayConnect(address, access, hosts)) return { kind: 'refused', reason: 'address_denied', address };
  return { kind: 'admitted', address, forwarded };
}
