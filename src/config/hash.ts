/**
 * The hash of what was configured, to see drift between hosts. No password hash and no private key goes into it: 48 bits
 * that are shown on a metrics page must not help to guess a password.
 */
import { createHash } from 'node:crypto';
import type { Groups } from './file-groups.ts';
import type { Raw } from './schema.ts';
import type { ListenAddress } from './config.ts';

/** Own certificates differ from host to host, users are named and not more. */
const LEFT_OUT: ReadonlySet<string> = new Set(['cert', 'key', 'hmac_key', 'client_ca', 'basic_auth_users']);

/** The first 12 hex digits of a SHA-256; the same file in another layout has the same hash. */
export function configHash(raw: Raw, groups: Groups, listen: readonly ListenAddress[]): string {
  const configured = JSON.stringify(raw, (key, value: unknown) => {
    if (LEFT_OUT.has(key)) return undefined;
    return typeof value === 'bigint' ? value.toString() : value;
  });
  const parts = [
    configured,
    listen.map(({ text }) => text),
    [...groups.users.keys()].sort(),
    groups.trust.ca.map(({ fingerprint }) => fingerprint).sort(),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
}
