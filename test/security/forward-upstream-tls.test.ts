/**
 * The attack: somebody on the way to an https upstream shows a certificate of their own. By default http-proxy and undici
 * do not look (rejectUnauthorized is false), and hand over the upstream's bearer token.
 */
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Upstream } from '../../src/config/config.ts';
import { upstreamOf } from '../support/config-fixture.ts';
import { startGate, startOrigin } from '../request/forward/gate-fixture.ts';
import { createAuthority } from '../support/certificates.ts';
import type { Authority, Issued } from '../support/certificates.ts';
import { curl } from '../support/curl.ts';

let ours: Authority;
let theirs: Authority;
let client: Issued;
const closing: (() => Promise<void>)[] = [];

beforeAll(() => {
  ours = createAuthority('ours');
  theirs = createAuthority('theirs');
  client = ours.issue({ name: 'gate', purpose: 'client' });
});

afterAll(() => {
  ours.remove();
  theirs.remove();
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** @returns status and body through the gate, and the client certificate that the upstream saw. */
async function ask(
  server: Issued,
  tls: Partial<Upstream['tls']>,
  { host = 'localhost', requestCert = false }: { host?: string; requestCert?: boolean } = {},
) {
  const origin = await startOrigin(
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      response.end(
        `hello ${String((subject as { CN?: string } | undefined)?.CN)} ${String(request.headers.authorization)}`,
      );
    },
    (listener) =>
      createServer(
        { cert: server.cert, key: server.key, ca: ours.cert, requestCert, rejectUnauthorized: requestCert },
        listener,
      ),
  );
  const { port } = origin;
  const gate = await startGate({
    upstream: upstreamOf({
      address: { kind: 'https', origin: `https://${host}:${String(port)}`, host, port },
      tls: { ca: null, clientCertificate: null, serverName: null, ...tls },
      authorization: { kind: 'header', value: 'Bearer secret' },
    }),
  });
  closing.push(
    () => origin.close(),
    () => gate.close(),
  );
  return { answer: await curl(`${gate.url}/metrics`), origin, gate };
}

const LOCAL = ['DNS:localhost', 'IP:127.0.0.1'];

it('takes a certificate of the configured CA for the right name or address', async () => {
  const server = ours.issue({ name: 'up', sans: LOCAL });
  for (const host of ['localhost', '127.0.0.1']) {
    const { answer } = await ask(server, { ca: [ours.cert] }, { host });
    expect(answer).toMatchObject({ status: 200, body: 'hello undefined Bearer secret' });
  }
});

it.each([
  ['of another CA', () => theirs.issue({ name: 'up', sans: LOCAL }), () => ({ ca: [ours.cert] })],
  ['that the system does not know, without a CA', () => ours.issue({ name: 'up', sans: LOCAL }), () => ({})],
  ['for another name', () => ours.issue({ name: 'up', sans: ['DNS:other.test'] }), () => ({ ca: [ours.cert] })],
  [
    'that has expired',
    () =>
      ours.issue({
        name: 'up',
        sans: LOCAL,
        notBefore: new Date(Date.now() - 9e6),
        notAfter: new Date(Date.now() - 5e6),
      }),
    () => ({ ca: [ours.cert] }),
  ],
])('refuses a certificate %s with 502, sends nothing, and logs why', async (_name, issue, tls) => {
  const { answer, origin, gate } = await ask(issue(), tls());
  expect(answer.status).toBe(502);
  expect(answer.body).toContain('upstream unreachable');
  expect(origin.requests).toHaveLength(0);
  const line = gate.log.lines.find(({ message }) => message === 'request refused');
  expect(String(line?.fields['detail'])).toMatch(/certificate|CERT/i);
  expect(JSON.stringify(gate.log.lines)).not.toContain('secret');
});

it('asks for the configured server name, and is checked against it', async () => {
  const server = ours.issue({ name: 'up', sans: ['DNS:inner.test'] });
  const { answer } = await ask(server, { ca: [ours.cert], serverName: 'inner.test' }, { host: '127.0.0.1' });
  expect(answer.status).toBe(200);
  const { answer: wrong } = await ask(server, { ca: [ours.cert], serverName: 'other.test' }, { host: '127.0.0.1' });
  expect(wrong.status).toBe(502);
});

it('shows the configured client certificate', async () => {
  const server = ours.issue({ name: 'up', sans: LOCAL });
  const pair = { cert: client.cert, key: client.key };
  const { answer } = await ask(server, { ca: [ours.cert], clientCertificate: pair }, { requestCert: true });
  expect(answer.body).toBe('hello gate Bearer secret');
  const { answer: without } = await ask(server, { ca: [ours.cert] }, { requestCert: true });
  expect(without.status).toBe(502);
});
