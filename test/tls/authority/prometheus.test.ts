import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCa } from '../../../src/tls/authority/certificate-authority.ts';
import { issueClient, issueServer } from '../../../src/tls/authority/issue.ts';
import { permittedNames } from '../../../src/tls/authority/name-constraints.ts';
import { startPrometheus } from '../../support/prometheus.ts';
import type { Prometheus } from '../../support/prometheus.ts';
import { createWorkbench } from './openssl.ts';
import type { Workbench } from './openssl.ts';

let bench: Workbench;
let server: Server | null = null;
let prometheus: Prometheus | null = null;

beforeEach(() => {
  bench = createWorkbench();
});

afterEach(async () => {
  await prometheus?.stop();
  server?.close();
  server?.closeAllConnections();
  bench.remove();
});

it.each([
  { what: '', constraints: {} },
  {
    what: ', narrowed to some names',
    constraints: { permitted: permittedNames(['localhost', 'prometheus'], ['127.0.0.0/8']) },
  },
])('a real Prometheus scrapes over mutual TLS with certificates of the own CA$what', async ({ constraints }) => {
  const now = Date.now();
  const ca = await createCa({ name: 'test', now, ...constraints });
  const gate = await issueServer({ ca, names: ['localhost', '127.0.0.1'], now });
  const client = await issueClient({ ca, name: 'prometheus', sans: [{ type: 'dns', value: 'prometheus' }], now });
  const listening = createServer({ ...gate, ca: ca.cert, requestCert: true, rejectUnauthorized: true }, (_, response) =>
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end('answer 42\n'),
  );
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const target = `127.0.0.1:${(listening.address() as AddressInfo).port}`;
  const [caFile, certFile] = [bench.file('ca.crt', ca.cert), bench.file('client.crt', client.cert)];
  prometheus = await startPrometheus({
    scrapeConfigs: `
- job_name: gate
  scheme: https
  scrape_interval: 1s
  tls_config: {ca_file: ${caFile}, cert_file: ${certFile}, key_file: ${bench.file('client.key', client.key)}}
  static_configs: [{targets: ["${target}"]}]
`,
  });
  expect((await prometheus.waitFor('answer'))[0]?.value).toBe('42');
});
