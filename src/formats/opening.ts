/** What the first bytes of a connection are, on a port that expects TLS. Pure; reads no more than it must. */

/** `unknown`: whoever handles TLS says what is wrong with it. */
export type Opening = 'tls' | 'http' | 'proxy-protocol' | 'unknown';

const HANDSHAKE_RECORD = 22;
/** haproxy's proxy-protocol.txt §2.1 and §2.2. */
const PROXY_V1 = Buffer.from('PROXY ');
const PROXY_V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n');
/** The longest method that is registered (IANA) has 17 characters: UPDATEREDIRECTREF. */
const LONGEST_METHOD = 20;

/** @returns null while more bytes could still decide it. */
export function readOpening(bytes: Buffer): Opening | null {
  if (bytes.length === 0) return null;
  if (bytes[0] === HANDSHAKE_RECORD) return 'tls';
  if (startsWith(bytes, PROXY_V1) || startsWith(bytes, PROXY_V2)) return 'proxy-protocol';
  if (startsWith(PROXY_V2, bytes)) return null;
  const letters = countLetters(bytes);
  if (letters === bytes.length) return letters > LONGEST_METHOD ? 'unknown' : null;
  return letters >= 3 && bytes[letters] === 0x20 ? 'http' : 'unknown';
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.length >= prefix.length && bytes.subarray(0, prefix.length).equals(prefix);
}

function countLetters(bytes: Buffer): number {
  const text = bytes.toString('latin1', 0, LONGEST_METHOD + 1);
  return /^[A-Za-z-]*/.exec(text)?.[0].length ?? 0;
}
