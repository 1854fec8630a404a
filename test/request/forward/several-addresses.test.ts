/** Requests to an upstream whose name has several addresses: each is tried, over HTTP and over TLS. */
import { createServer as createHttps } from 'node:https';
import { afterEach, expect, it } from 'vitest';
import { createLookup } from '../../../src/lib/lookup.ts';
import { createAuthority } from '../../support/certificates.ts';
import { upstreamAt } from '../../support/config-fixture.ts';
import { freePort } from '../../support/free-port.ts';
import { startGate, startOrigin } from './gate-fixture.ts';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const HOST = 'prometheus.internal';

async function ask(kind: 'http' | 'https', addresses: readonly string[], isUp = true) {
  const authority = createAuthority('addresses');
  closing.push(() => authority.remove());
  const issued = authority.issue({ name: HOST, sans: [`DNS:${HOST}`], purpose: 'server' });
  const origin = await startOrigin(
    (_request, response) => response.end('up 1\n'),
    kind === 'https' ? (listener) => createHttps({ cert: issued.cert, key: issued.key }, listener) : undefined,
  );
  closing.push(() => origin.close());
  const port = isUp ? origin.port : await freePort();
  const gate = await startGate({
    upstream: upstreamAt(port, {
      address: { kind, origin: `${kind}://${HOST}:${String(port)}`, host: HOST, port },
      tls: { ca: kind === 'https' ? [authority.cert] : null, clientCertificate: null, serverName: null },
    }),
    lookup: createLookup({ resolveHost: () => Promise.resolve(addresses) }),
  });
  closing.push(() => gate.close());
  return { response: await fetch(`${gate.url}/api/v1/query?query=up`), gate };
}

it.each([
  ['http', '127.0.0.2'],
  ['http', '2001:db8::1'],
  // TEST-NET-1: no answer, or no route.
  ['http', '192.0.2.1'],
  ['https', '127.0.0.2'],
  ['https', '192.0.2.1'],
] as const)('over %s reach the second address when %s does not answer', { timeout: 15_000 }, async (kind, dead) => {
  const { response } = await ask(kind, [dead, '127.0.0.1']);
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('up 1\n');
});

it('say of each address what it said when none answers', async () => {
  const { response, gate } = await ask('http', ['127.0.0.2', '127.0.0.1'], false);
  expect(response.status).toBe(502);
  await response.text();
  const detail = JSON.stringify(gate.log.lines);
  expect(detail).toContain('ECONNREFUSED 127.0.0.2');
  expect(detail).toContain('ECONNREFUSED 127.0.0.1');
});
