/** Reads /proc/net/tcp and /proc/net/tcp6 (proc(5)): which local addresses and ports listen. Pure; skips what it cannot read. */

export interface ListeningSocket {
  /** `0.0.0.0` and `::` are every address; IPv4-mapped IPv6 comes as IPv4. */
  readonly address: string;
  readonly port: number;
}

/** `TCP_LISTEN` of include/net/tcp_states.h. */
const LISTEN = '0A';
const ROW = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /;

/**
 * @param byteOrder of the machine: the kernel prints addresses as 32-bit words in its own order.
 */
export function parseListeningSockets(text: string, byteOrder: 'LE' | 'BE'): ListeningSocket[] {
  const found: ListeningSocket[] = [];
  for (const line of text.split('\n')) {
    const [, address, port, state] = ROW.exec(line) ?? [];
    if (address === undefined || port === undefined || state !== LISTEN) continue;
    found.push({ address: formatAddress(wordsOf(address, byteOrder)), port: Number.parseInt(port, 16) });
  }
  return found;
}

function wordsOf(hex: string, byteOrder: 'LE' | 'BE'): number[] {
  const words = Buffer.from(hex, 'hex');
  if (byteOrder === 'LE') words.swap32();
  return [...words];
}

function formatAddress(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.');
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) return bytes.slice(12).join('.');
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  const text = groups.join(':');
  if (text === '0:0:0:0:0:0:0:0') return '::';
  return text === '0:0:0:0:0:0:0:1' ? '::1' : text;
}

/** Whether a socket on this address is reachable from this host alone. */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}
