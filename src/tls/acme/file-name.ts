/** Names of files in the state directory. What somebody configured or a CA said becomes no path, only a file name. */
import { createHash } from 'node:crypto';
import type { WantedCertificate } from './contract.ts';
import { canonicalName, nameOf } from './pair.ts';

const LONGEST_PREFIX = 100;

/**
 * Readable and unique: the first name for people, a digest of all names for us. Certificates with other names never
 * share a file, so that two processes with different ideas of a certificate do not order in turn.
 */
export function certificateFileName(wanted: WantedCertificate): string {
  return `${encode(canonicalName(nameOf(wanted)))}~${digest(canonicalNames(wanted))}`;
}

/** The names that are wanted, each once, in one spelling and order. */
export function canonicalNames({ names }: WantedCertificate): string[] {
  return [...new Set(names.map(canonicalName))].sort();
}

export function accountFileName(directoryUrl: string): string {
  const host = URL.canParse(directoryUrl) ? new URL(directoryUrl).hostname : 'directory';
  return `${encode(host)}~${digest([directoryUrl])}`;
}

/** Lower-case letters, digits, and dots and hyphens within stay; every other byte becomes `=` and two hex digits. */
function encode(text: string): string {
  const encoded = text.replace(/[^a-z0-9.-]|^[.-]/g, (character) =>
    Array.from(Buffer.from(character, 'utf8'), (byte) => `=${byte.toString(16).padStart(2, '0')}`).join(''),
  );
  return encoded.slice(0, LONGEST_PREFIX);
}

function digest(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
