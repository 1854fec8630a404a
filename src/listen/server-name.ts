/** Which certificate serves a server name (SNI, RFC 6066 §3): an exact name, then one `*.` label, else the first. Pure. */
import type { KeyPair } from '../config/config.ts';

/** @returns the index of the certificate; 0, the default, when none has the name. */
export function indexForServerName(servername: string, certificates: readonly Pick<KeyPair, 'names'>[]): number {
  const name = servername.toLowerCase().replace(/\.$/, '');
  const exact = certificates.findIndex(({ names }) => names.includes(name));
  if (exact !== -1) return exact;
  const dot = name.indexOf('.');
  if (dot <= 0) return 0;
  const wildcard = `*${name.slice(dot)}`;
  return Math.max(
    0,
    certificates.findIndex(({ names }) => names.includes(wildcard)),
  );
}
