/**
 * A tiny DNS server on loopback (UDP and TCP): every name is 127.0.0.1 unless a test gives it addresses, and has the TXT
 * records that a test puts there.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface DnsResponder {
  readonly port: number;
  /** Name in lower case, without a dot at the end → values. */
  readonly txt: Map<string, string[]>;
  /** Name → its IPv4 and IPv6 addresses (in eight groups), in the place of 127.0.0.1. */
  readonly addresses: Map<string, string[]>;
  /** `A` or `AAAA`, a space and a name: questions that get no answer. */
  readonly silent: Set<string>;
  /** The questions for addresses, oldest first: `A name`. */
  readonly asked: string[];
  /** Names that do not exist. */
  readonly missing: Set<string>;
  close(): Promise<void>;
}

const TYPE = { a: 1, txt: 16, aaaa: 28 };

type Zone = Omit<DnsResponder, 'port' | 'close'>;

export async function startDnsResponder(): Promise<DnsResponder> {
  const zone: Zone = {
    txt: new Map(),
    addresses: new Map(),
    silent: new Set(),
    asked: [],
    missing: new Set(),
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      // RFC 1035 §4.2.2: two bytes of length before each message.
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const answer = answerTo(received.subarray(2, 2 + received.readUInt16BE(0)), zone) ?? Buffer.alloc(0);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
        received = received.subarray(2 + received.readUInt16BE(0));
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const datagrams = createSocket('udp4').bind(port, '127.0.0.1');
  datagrams.on('message', (query, remote) => {
    const answer = answerTo(query, zone);
    if (answer !== null) datagrams.send(answer, remote.port, remote.address);
  });
  await once(datagrams, 'listening');
  return {
    port,
    ...zone,
    async close() {
      datagrams.close();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function bytesOf(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  return Buffer.from(
    address
      .split(':')
      .map((group) => group.padStart(4, '0'))
      .join(''),
    'hex',
  );
}

function answerTo(query: Buffer, { txt, addresses, silent, asked, missing }: Zone): Buffer | null {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  at += 1;
  if (at + 4 > query.length) return null;
  const type = query.readUInt16BE(at);
  const name = labels.join('.').toLowerCase();
  const records: Buffer[] = [];
  if (type === TYPE.a || type === TYPE.aaaa) {
    const question = `${type === TYPE.a ? 'A' : 'AAAA'} ${name}`;
    asked.push(question);
    if (silent.has(question)) return null;
    const known = addresses.get(name) ?? (missing.has(name) ? [] : ['127.0.0.1']);
    records.push(...known.filter((address) => address.includes(':') === (type === TYPE.aaaa)).map(bytesOf));
  }
  if (type === TYPE.txt) {
    for (const value of txt.get(name) ?? []) records.push(Buffer.from([value.length, ...Buffer.from(value)]));
  }
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  // A recursive answer; NXDOMAIN for what is missing.
  header.writeUInt16BE(0x8180 | (missing.has(name) ? 3 : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const answers = records.map((data) => {
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(0, 6);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([record, data]);
  });
  return Buffer.concat([header, query.subarray(12, at + 4), ...answers]);
}
