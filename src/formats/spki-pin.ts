/**
 * The fingerprint of a public key: SHA-256 over the SubjectPublicKeyInfo (RFC 7469 §2.4). It stays when a certificate is
 * renewed with its key. Pure.
 */
import { createHash } from 'node:crypto';
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

/** Lower-case hex, as pins are compared. */
export function spkiHash(publicKeySpki: Buffer): string {
  return createHash('sha256').update(publicKeySpki).digest('hex');
}

/** `sha256/BASE64`, as pins are printed. */
export function spkiPin(publicKeySpki: Buffer): string {
  return `sha256/${createHash('sha256').update(publicKeySpki).digest('base64')}`;
}

/** Reads `sha256/BASE64` (curl's `sha256//BASE64` too) or 64 hex digits, with or without colons; gives lower-case hex. */
export function parseSpkiPin(text: string): Parsed<string> {
  const base64 = /^sha256\/\/?([A-Za-z0-9+/]{43}=)$/.exec(text)?.[1];
  if (base64 !== undefined) {
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.length === 32 && bytes.toString('base64') === base64) return parsed(bytes.toString('hex'));
  }
  const hex = text.replaceAll(':', '');
  if (/^[0-9A-Fa-f]{64}$/.test(hex) && /^(?:[^:]+|(?:..:){31}..)$/.test(text)) return parsed(hex.toLowerCase());
  return unparsed(
    `${JSON.stringify(text)} is not the SHA-256 of a public key`,
    'expected sha256/BASE64 or 64 hex digits, as `promgate pki list` prints them',
  );
}
