/**
 * The attack: while a CA proves a name by tls-alpn-01, connections from addresses that `allow` refuses are looked at before
 * they are closed. Somebody there offers `acme-tls/1` among other protocols, talks on after the challenge, sends half a
 * ClientHello and waits, or opens a hundred connections and says nothing, so that the CA finds no place.
 */
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Tls } from '../../src/config/config.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createTlsAlpnAnswerer, type TlsAlpnAnswerer } from '../../src/tls/acme/challenges/tls-alpn.ts';
import { configOf, dialTcp, dialTls, GET, LIMITS, startRig, tlsOf, type Client, type Rig } from '../listen/harness.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { poll } from '../support/poll.ts';

const NAME = 'gate.example.com';
const CHALLENGE = { type: 'tls-alpn-01', identifier: NAME, token: 'token', keyAuthorization: 'token.print' };

let authority: Authority;
let answerer: TlsAlpnAnswerer;
let rig: Rig;
let tls: Tls;
const clients: Client[] = [];

beforeEach(async () => {
  authority = createAuthority('Gate CA');
  answerer = createTlsAlpnAnswerer(systemClock);
  tls = tlsOf([authority.issue({ name: NAME, sans: [`DNS:${NAME}`] })]);
  rig = await startRig(configOf({ tls, limits: { ...LIMITS, handshakeTimeoutMs: 400, connectionsPerAddress: 90 } }));
  rig.answers.challenge = () => answerer;
  rig.answers.mayConnect = (address) => (address === '127.0.0.1' ? 'address_denied' : null);
});

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await rig.listener.close();
  authority.remove();
});

async function dial(localAddress: string, protocols: string[], maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3') {
  // tls.connect hands it on to net.connect, which its declared type does not say.
  const options = { localAddress, servername: NAME, ALPNProtocols: protocols, maxVersion };
  const client = await dialTls(rig.port, options);
  clients.push(client);
  return client;
}

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'answers the CA from an address that allow refuses, and nothing that it says after the handshake (%s)',
  async (version) => {
    await answerer.present(CHALLENGE);
    const client = await dial('127.0.0.1', ['acme-tls/1'], version);
    expect(client.socket.alpnProtocol).toBe('acme-tls/1');
    expect(client.socket.getPeerX509Certificate()?.subject).toBe('CN=ACME challenge');
    client.socket.write(GET);
    await client.closed;
    expect(client.received()).toBe('');
    expect(rig.arrivals).toHaveLength(0);
    expect(rig.facts).toHaveLength(0);
  },
);

it('closes a connection from there that offers anything beside it, before TLS, with its log line', async () => {
  await answerer.present(CHALLENGE);
  for (const protocols of [['h2', 'acme-tls/1'], ['acme-tls/1', 'http/1.1'], ['http/1.1'], []]) {
    const client = await dial('127.0.0.1', protocols);
    await client.closed;
    expect(client.socket.getPeerX509Certificate()).toBeUndefined();
  }
  expect(rig.refused).toEqual(Array.from({ length: 4 }, () => 'address_denied'));
  expect(rig.unlogged()).toEqual([]);
  expect(rig.arrivals).toHaveLength(0);
});

it('serves everybody else as always while a challenge is pending, however the ClientHello is cut', async () => {
  await answerer.present(CHALLENGE);
  const client = await dial('127.0.0.2', ['http/1.1']);
  expect(client.socket.getPeerX509Certificate()?.subject).toContain(NAME);
  client.socket.write(GET);
  await poll('an answer', () => client.received().includes('ok'));
  const plain = await dialTcp(rig.port, { localAddress: '127.0.0.2' });
  clients.push(plain);
  plain.socket.write('GET / HTTP/1.1\r\n\r\n');
  await plain.closed;
  await poll('a refusal', () => rig.refused.includes('http_on_tls_port'));
});

it('ends a connection that never finishes its ClientHello', async () => {
  await answerer.present(CHALLENGE);
  for (const address of ['127.0.0.1', '127.0.0.2']) {
    const client = await dialTcp(rig.port, { localAddress: address });
    clients.push(client);
    client.socket.write(Buffer.from([22, 3, 1, 2, 0, 1]));
    await client.closed;
  }
  expect(rig.refused).toEqual(['address_denied', 'tls_handshake_timeout']);
  await poll('both are gone', () => rig.live() === 0);
});

it('looks at no more than a few connections from refused addresses at once, and still hears the CA', async () => {
  rig.answers.mayConnect = () => 'address_denied';
  // Nobody runs out of time meanwhile: what is refused is refused for being one too many.
  rig.listener.apply(configOf({ generation: 2, tls, limits: { ...LIMITS, connectionsPerAddress: 90 } }));
  await answerer.present(CHALLENGE);
  const silent = await Promise.all(Array.from({ length: 60 }, () => dialTcp(rig.port, { localAddress: '127.0.0.1' })));
  clients.push(...silent);
  await poll('the rest is refused', () => rig.refused.length === 28 && rig.live() === 32);
  const ca = await dial('127.0.1.2', ['acme-tls/1']);
  expect(ca.socket.alpnProtocol).toBe('acme-tls/1');
  expect(rig.refused).toEqual(Array.from({ length: 29 }, () => 'address_denied'));
});

it('refuses the address before one byte when no challenge is pending', async () => {
  const remove = await answerer.present(CHALLENGE);
  await remove();
  const client = await dialTcp(rig.port, { localAddress: '127.0.0.1' });
  clients.push(client);
  await client.closed;
  expect(rig.refused).toEqual(['address_denied']);
  const other = await dial('127.0.0.2', ['acme-tls/1']);
  if (!other.isClosed()) await once(other.socket, 'close');
  expect(other.socket.alpnProtocol).not.toBe('acme-tls/1');
});
