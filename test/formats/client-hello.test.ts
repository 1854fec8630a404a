/** ClientHellos of real clients, whole and in pieces, and bytes that are none. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import fc from '../support/property.ts';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { ClientHelloReader, readClientHello } from '../../src/formats/client-hello.ts';

/** What a real client sends first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

let hello: Buffer;
beforeAll(async () => {
  hello = await helloOf({ servername: 'A.example.com', ALPNProtocols: ['acme-tls/1'] });
});

describe('a ClientHello', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('of %s tells server name and protocols', async (version) => {
    const bytes = await helloOf({
      servername: 'b.example.com',
      ALPNProtocols: ['h2', 'http/1.1'],
      minVersion: version,
      maxVersion: version,
    });
    const expected = { serverName: 'b.example.com', protocols: ['h2', 'http/1.1'] };
    expect(readClientHello(bytes)).toEqual({ kind: 'hello', hello: expected });
  });

  it('may have neither', async () => {
    expect(readClientHello(await helloOf({}))).toEqual({
      kind: 'hello',
      hello: { serverName: null, protocols: [] },
    });
  });

  it('is incomplete until its last byte', () => {
    for (let length = 0; length < hello.length; length++) {
      expect(readClientHello(hello.subarray(0, length)).kind).toBe('incomplete');
    }
    const whole = { kind: 'hello', hello: { serverName: 'a.example.com', protocols: ['acme-tls/1'] } };
    expect(readClientHello(hello)).toEqual(whole);
    expect(readClientHello(Buffer.concat([hello, Buffer.from('more')]))).toEqual(whole);
  });

  it('may be spread over several records', () => {
    const body = hello.subarray(5);
    const records = [body.subarray(0, 3), body.subarray(3, 60), body.subarray(60)].map((part) => {
      const head = Buffer.from([22, 3, 1, 0, 0]);
      head.writeUInt16BE(part.length, 3);
      return Buffer.concat([head, part]);
    });
    expect(readClientHello(Buffer.concat(records)).kind).toBe('hello');
    expect(readClientHello(Buffer.concat(records.slice(0, 2))).kind).toBe('incomplete');
  });

  it.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
    ['another handshake message', Buffer.from([22, 3, 3, 0, 4, 2, 0, 0, 0])],
    ['a message of 16 MiB', Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255])],
    ['a message that is shorter than its parts', Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 3])],
  ])('is not %s', (_what, bytes) => {
    expect(readClientHello(bytes)).toEqual({ kind: 'other' });
  });

  it('is asked for no longer than 16 KiB, however it is cut up', () => {
    const byte = Buffer.from([22, 3, 1, 0, 1, 1]);
    expect(readClientHello(Buffer.concat(new Array<Buffer>(4_000).fill(byte))).kind).toBe('other');
  });

  /** The message in records of `size` bytes each. */
  const inRecords = (size: number): Buffer => {
    const body = hello.subarray(5);
    const records: Buffer[] = [];
    for (let at = 0; at < body.length; at += size) {
      const part = body.subarray(at, at + size);
      records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
    }
    return Buffer.concat(records);
  };

  it('is not looked for in more than sixteen records', () => {
    const size = Math.ceil((hello.length - 5) / 16);
    expect(readClientHello(inRecords(size)).kind).toBe('hello');
    expect(readClientHello(Buffer.concat([inRecords(size), inRecords(1)])).kind).toBe('hello');
    expect(readClientHello(inRecords(1)).kind).toBe('sliced');
  });

  it('is told the same however it comes, byte by byte included', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 60 }), (size, step) => {
        const bytes = inRecords(size);
        const reader = new ClientHelloReader();
        let result = reader.add(bytes.subarray(0, 0));
        for (let at = 0; at < bytes.length && result.kind === 'incomplete'; at += step) {
          result = reader.add(bytes.subarray(at, at + step));
        }
        expect(result).toEqual(readClientHello(bytes));
      }),
    );
  });

  it('costs one join, however many segments it comes in', () => {
    const join = vi.spyOn(Buffer, 'concat');
    const copy = vi.spyOn(Buffer.prototype, 'copy');
    const reader = new ClientHelloReader();
    // A message that is announced with 16 000 bytes and comes one by one.
    const head = Buffer.from([22, 3, 1, 0x3e, 0x84, 1, 0, 0x3e, 0x80]);
    for (const byte of head) reader.add(Buffer.from([byte]));
    for (let count = 0; count < 15_000; count++) reader.add(Buffer.from([0]));
    const copies = copy.mock.calls.length;
    copy.mockRestore();
    expect(join).not.toHaveBeenCalled();
    join.mockRestore();
    // One a segment, a few as the buffer grows, two for the head of the message.
    expect(copies).toBeLessThan(15_009 + 10);
  });

  it('never throws, whatever is changed in it', () => {
    fc.assert(
      fc.property(fc.nat(hello.length - 1), fc.nat(255), fc.nat(hello.length), (at, value, length) => {
        const changed = Buffer.from(hello);
        changed[at] = value;
        expect(['hello', 'incomplete', 'other']).toContain(readClientHello(changed.subarray(0, length)).kind);
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(['hello', 'incomplete', 'other']).toContain(readClientHello(Buffer.from(bytes)).kind);
      }),
    );
  });
});
