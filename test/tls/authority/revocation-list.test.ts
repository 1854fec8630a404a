import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parseCrls } from '../../../src/formats/crl.ts';
import { createCa } from '../../../src/tls/authority/certificate-authority.ts';
import { issueClient, issueServer } from '../../../src/tls/authority/issue.ts';
import { generateKey } from '../../../src/tls/authority/keys.ts';
import type { CertificateAndKey } from '../../../src/tls/authority/keys.ts';
import { makeCrl } from '../../../src/tls/authority/revocation-list.ts';
import { runProcess } from '../../support/processes.ts';
import { createWorkbench } from './openssl.ts';
import type { Workbench } from './openssl.ts';

const now = Math.floor(Date.now() / 1000) * 1000;
const nextUpdate = now + 86_400_000;
let bench: Workbench;
let ca: CertificateAndKey;
let good: CertificateAndKey;
let bad: CertificateAndKey;
let crl: string;
let server: Server | null = null;

function serialOf({ cert }: CertificateAndKey): string {
  return new X509Certificate(cert).serialNumber;
}

beforeAll(async () => {
  bench = createWorkbench();
  ca = await createCa({ name: 'test', now, key: generateKey() });
  good = await issueClient({ ca, name: 'good', sans: [], now });
  bad = await issueClient({ ca, name: 'bad', sans: [], now });
  crl = await makeCrl({
    ca,
    revoked: [{ serial: serialOf(bad), date: now }],
    number: 40_000n,
    thisUpdate: now,
    nextUpdate,
  });
  bench.file('ca.crt', ca.cert);
  bench.file('ca.crl', crl);
  bench.file('good.crt', good.cert);
  bench.file('bad.crt', bad.cert);
});

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  server = null;
});

afterAll(() => {
  bench.remove();
});

it('openssl verifies the list and refuses who is on it', async () => {
  const shown = await bench.openssl('crl', '-in', 'ca.crl', '-CAfile', 'ca.crt', '-noout', '-text');
  expect(shown.stderr).toContain('verify OK');
  expect(shown.stdout).toContain('Version 2');
  expect(shown.stdout).toMatch(/CRL Number: \s+(?:40000|0x9C40)\s/);
  const verify = ['verify', '-x509_strict', '-crl_check', '-CAfile', 'ca.crt', '-CRLfile', 'ca.crl'];
  expect((await bench.openssl(...verify, 'good.crt')).code).toBe(0);
  const refused = await bench.openssl(...verify, 'bad.crt');
  expect(refused.stderr).toContain('certificate revoked');
});

it('an empty list is a list', async () => {
  const empty = await makeCrl({ ca, revoked: [], number: 0n, thisUpdate: now, nextUpdate });
  bench.file('empty.crl', empty);
  const shown = await bench.openssl('crl', '-in', 'empty.crl', '-CAfile', 'ca.crt', '-noout', '-text');
  expect(shown.stderr).toContain('verify OK');
  expect(shown.stdout).toContain('No Revoked Certificates');
});

it('the number, the dates and the serials come back from the parser', async () => {
  const serials = ['00AB', 'ab', 'ff12', '7', serialOf(bad)];
  const revoked = serials.map((serial) => ({ serial, date: now }));
  for (const number of [0n, 127n, 128n, 255n, 256n, (1n << 159n) - 1n]) {
    const read = parseCrls(await makeCrl({ ca, revoked, number, thisUpdate: now, nextUpdate }));
    if (!read.ok) throw new Error(read.message);
    const [list] = read.value;
    expect(list).toMatchObject({ number, thisUpdate: now, nextUpdate });
    expect([...(list?.revoked ?? [])].map((serial) => BigInt(`0x${serial}`)).sort()).toEqual(
      [0xabn, 0xff12n, 0x7n, BigInt(`0x${serialOf(bad)}`)].sort(),
    );
  }
});

it.each([
  [{ serial: 'xyz', number: 1n }, 'hex serial'],
  [{ serial: '', number: 1n }, 'hex serial'],
  [{ serial: 'ab', number: -1n }, 'CRL number'],
  [{ serial: 'ab', number: 1n << 159n }, 'CRL number'],
])('refuses %o', async ({ serial, number }, message) => {
  const revoked = [{ serial, date: now }];
  await expect(makeCrl({ ca, revoked, number, thisUpdate: now, nextUpdate })).rejects.toThrow(message);
});

it('curl gets through Node with the good certificate, and not with the revoked one', async () => {
  const { cert, key } = await issueServer({ ca, names: ['localhost', '127.0.0.1'], now });
  server = createServer({ cert, key, ca: ca.cert, crl, requestCert: true }, (_, response) => response.end('in'));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
  const asked = async ({ cert: shown, key: shownKey }: CertificateAndKey): Promise<string> => {
    const files = ['--cacert', bench.file('ca.crt', ca.cert), '--cert', bench.file('shown.crt', shown)];
    const argv = ['-sS', ...files, '--key', bench.file('shown.key', shownKey), url];
    return (await runProcess('curl', argv)).stdout;
  };
  expect(await asked(good)).toBe('in');
  expect(await asked(bad)).toBe('');
});
