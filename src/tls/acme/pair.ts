/** A certificate and its key as the TLS server takes them, judged first. No message holds anything of a key. */
import { createPrivateKey } from 'node:crypto';
import type { KeyPair } from '../../config/config.ts';
import { normalizeAddress } from '../../formats/address-set.ts';
import { keyMatches, parseCertificates } from '../../formats/x509.ts';
import { parsed, unparsed } from '../../lib/problem.ts';
import type { Parsed } from '../../lib/problem.ts';
import type { Origin, WantedCertificate } from './contract.ts';

/** How a pair is called that the gate has signed itself: it proves nothing to a client. */
export const SELF_SIGNED_PREFIX = 'self-signed:';

/** The name of a wanted certificate, in metrics, messages and on the command line. */
export function nameOf({ names }: WantedCertificate): string {
  const [first] = names;
  if (first === undefined) throw new TypeError('a certificate needs at least one name');
  return first;
}

/** Reads a chain (leaf first) and its key; refuses what does not belong together. */
export function readPair(cert: string, key: string, name: string): Parsed<KeyPair> {
  const chain = parseCertificates(cert);
  if (!chain.ok) return chain;
  const match = keyMatches(cert, key);
  if (!match.ok) return match;
  const [leaf] = chain.value;
  if (leaf === undefined) return unparsed('no certificate found');
  return parsed({
    cert: chain.value.map(({ pem }) => pem).join(''),
    key,
    name,
    names: [...leaf.sans.dns, ...leaf.sans.ip].map((text) => text.toLowerCase()),
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    serial: leaf.serial,
    issuer: leaf.issuer,
    keyType: match.value.keyType,
  });
}

/** Whether a pair has every name that is wanted, and a key of the kind that is wanted. */
export function fits(pair: KeyPair, wanted: WantedCertificate): boolean {
  return misfit(pair, null, wanted) === null;
}

/** What is wanted otherwise than a pair has it, as a clause; null: it is what is wanted. */
export function misfit(pair: KeyPair, origin: Origin | null, wanted: WantedCertificate): string | null {
  const names = new Set(pair.names.map(canonicalName));
  if (!wanted.names.every((name) => names.has(canonicalName(name)))) return 'other names are wanted';
  if (keyTypeOf(pair.key) !== wanted.keyType) return 'another type of key is wanted';
  return origin === null || origin.profile === wanted.profile ? null : 'another profile is wanted';
}

/** One spelling for each name: what is compared and what files are named by. */
export function canonicalName(name: string): string {
  return normalizeAddress(name) ?? name.toLowerCase();
}

function keyTypeOf(key: string): WantedCertificate['keyType'] | null {
  const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(key);
  if (asymmetricKeyType === 'ec') {
    const curve = asymmetricKeyDetails?.namedCurve;
    return curve === 'prime256v1' ? 'p256' : curve === 'secp384r1' ? 'p384' : null;
  }
  const bits = asymmetricKeyType === 'rsa' ? asymmetricKeyDetails?.modulusLength : undefined;
  return bits === 2048 ? 'rsa2048' : bits === 4096 ? 'rsa4096' : null;
}
