/** The attackers of the bench send what is said of them: to a server that counts, and on the wire. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { der, integer, objectId } from '../../bench/attacks/der.ts';
import { forgedChain } from '../../bench/attacks/long-chains.ts';
import { clientHello, sliced } from '../../bench/attacks/sliced-hellos.ts';
import { readCounts, startAttack } from '../../bench/running-attack.ts';
import { poll } from '../support/poll.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Not behind everything else: other tests run at the same time. */
const anywhere = ([command = '', ...argv]: readonly string[]): readonly [string, ...string[]] => [command, ...argv];

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

describe('a sliced ClientHello', () => {
  test('is the message of a real one, in as many records as it has bytes', async () => {
    const message = await clientHello();
    // RFC 8446, 4: client_hello and its length.
    expect(message[0]).toBe(1);
    expect(message.readUIntBE(1, 3)).toBe(message.length - 4);
    expect(message.length).toBeGreaterThan(2_000);
    const wire = sliced(message);
    expect(wire.length).toBe(6 * message.length);
    const again = Array.from({ length: message.length }, (_unused, index) => wire[6 * index + 5]);
    expect(Buffer.from(again as number[]).equals(message)).toBe(true);
    expect([...wire.subarray(0, 5)]).toEqual([0x16, 3, 1, 0, 1]);
  });
});

describe('a forged chain', () => {
  test('is one that a TLS client can show: each link names the next, with slow keys', () => {
    const { cert, key } = forgedChain(3);
    expect(() => createSecureContext({ cert, key })).not.toThrow();
    const links = cert
      .split(/(?<=-----END CERTIFICATE-----\n)/)
      .filter((text) => text !== '')
      .map((text) => new X509Certificate(text));
    expect(links).toHaveLength(4);
    for (const [index, link] of links.entries()) {
      expect(link.subject).toBe(`CN=link ${index}`);
      expect(link.issuer).toBe(`CN=link ${index + 1}`);
    }
    const [, slow] = links;
    const jwk = slow?.publicKey.export({ format: 'jwk' });
    expect(Buffer.from(jwk?.e ?? '', 'base64url').length).toBe(384);
    expect(Buffer.from(jwk?.n ?? '', 'base64url').length).toBe(384);
  });

  test('is written in DER', () => {
    expect(objectId('1.2.840.113549.1.1.11').toString('hex')).toBe('06092a864886f70d01010b');
    expect(integer(Buffer.from([0x80])).toString('hex')).toBe('02020080');
    expect(der(4, Buffer.alloc(300)).subarray(0, 4).toString('hex')).toBe('0482012c');
  });
});

describe('an attacker', () => {
  test('is a process that begins, is counted where it arrives, and says what it has done', async () => {
    let connected = 0;
    const port = await listen(() => (connected += 1));
    const attack = await startAttack('sliced-hellos', { port, authorization: '' }, anywhere);
    await poll('connections', () => connected >= 20);
    const counts = await attack.stop();
    expect(counts['connected']).toBeGreaterThanOrEqual(20);
    expect(connected).toBeGreaterThanOrEqual(counts['connected'] ?? Infinity);
  }, 60_000);

  test('that does not begin is no attack', async () => {
    await expect(startAttack('no-such-attack', { port: 1, authorization: '' }, anywhere)).rejects.toThrow(
      'the attacker no-such-attack has ended:',
    );
  }, 60_000);

  test('is believed only line by line', () => {
    expect(readCounts('under way\ncounted asked 12\ncounted closed 0\ncounted x -1\n')).toEqual({
      asked: 12,
      closed: 0,
    });
  });
});
