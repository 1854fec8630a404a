/**
 * Somebody who stands between two gates, or has taken over the one that publishes, sends the other one a revocation list
 * that lets revoked clients in again: an older one, one of another CA (also of the same name), one cut or changed, none at
 * all. Or he sends without end, or never ends, to fill memory and to keep the list from being looked at. None of it
 * changes the list that is there, and nothing is sent to a server that the operator did not name.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseCrls } from '../../src/formats/crl.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createDownload } from '../../src/tls/authority/list-download.ts';
import { fetchList } from '../../src/tls/authority/list-fetcher.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { createFakeClock } from '../support/fake-clock.ts';

let authority: Authority;
let directory: string;
let file: string;
let server: Server;
let port: number;
let answer: RequestListener;
let asked: number;
let good: string;

beforeEach(async () => {
  authority = createAuthority('Fleet CA');
  directory = mkdtempSync(join(tmpdir(), 'promgate-fetched-'));
  file = join(directory, 'client-ca.crl');
  const { cert, key } = authority.issue({ name: 'localhost', sans: ['DNS:localhost'], purpose: 'server' });
  asked = 0;
  server = createServer({ cert, key }, (request, response) => {
    asked += 1;
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
  authority.revoke(authority.issue({ name: 'revoked' }));
  good = authority.crl({ number: 7 }).pem;
  writeFileSync(file, good);
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  authority.remove();
  rmSync(directory, { recursive: true });
});

const trusted = () => ({ ca: [authority.cert], crls: parsedLists(good) });
const parsedLists = (pem: string) => {
  const crls = parseCrls(pem);
  if (!crls.ok) throw new Error(crls.message);
  return crls.value;
};
const fetchNow = (
  trust = trusted(),
  url = `https://localhost:${port}/list`,
  ca = authority.cert,
  clock = systemClock,
) => fetchList({ url, file, ca, intervalMs: 1000 }, trust, { clock, download: createDownload(clock) });
const giving = (text: string, status = 200): RequestListener => {
  return (_request, response) => {
    response.writeHead(status).end(text);
  };
};

it('takes a newer list of the same CA, and leaves an equal one alone', async () => {
  answer = giving(good);
  expect(await fetchNow()).toBe(false);
  const newer = authority.crl({ number: 8 }).pem;
  answer = giving(newer);
  expect(await fetchNow()).toBe(true);
  expect(readFileSync(file, 'utf8')).toBe(newer);
});

it.each<{ what: string; list: () => string; said: RegExp }>([
  { what: 'an older one', list: () => authority.crl({ number: 6 }).pem, said: /number 6, older than number 7/ },
  {
    what: 'one that has ended',
    list: () => authority.crl({ number: 8, nextUpdate: new Date(Date.now() - 60_000) }).pem,
    said: /has ended/,
  },
  {
    what: 'one from the future',
    list: () =>
      authority.crl({ number: 8, thisUpdate: new Date(Date.now() + 3_600_000), nextUpdate: new Date(Date.now() + 9e7) })
        .pem,
    said: /not valid yet/,
  },
  { what: 'one with a changed byte', list: () => flipped(authority.crl({ number: 8 }).pem), said: /./ },
  { what: 'half of one', list: () => authority.crl({ number: 8 }).pem.slice(0, 200), said: /./ },
  { what: 'nothing', list: () => '', said: /no CRL found/ },
  { what: 'a page', list: () => '<html>log in</html>', said: /no CRL found/ },
  { what: 'a certificate', list: () => authority.cert, said: /no CRL found/ },
])('refuses $what, and keeps the one that is there', async ({ list, said }) => {
  answer = giving(list());
  await expect(fetchNow()).rejects.toThrow(said);
  expect(readFileSync(file, 'utf8')).toBe(good);
});

it.each(['Other CA', 'Fleet CA'])('refuses the list of another CA, called %s', async (name) => {
  const other = createAuthority(name);
  try {
    answer = giving(other.crl({ number: 99 }).pem);
    await expect(fetchNow()).rejects.toThrow(/none of the client CAs|not signed by this CA/);
    // Beside the right one it is left out, or spoils the answer.
    answer = giving(authority.crl({ number: 8 }).pem + other.crl({ number: 99 }).pem);
    await fetchNow().catch(() => undefined);
    expect(parsedLists(readFileSync(file, 'utf8')).map(({ number }) => number)).not.toContain(99n);
  } finally {
    other.remove();
  }
});

it('knows what is older by the list in force, also when the file was put back', async () => {
  writeFileSync(file, authority.crl({ number: 3 }).pem);
  answer = giving(authority.crl({ number: 6 }).pem);
  await expect(fetchNow()).rejects.toThrow(/older than number 7/);
});

it.each([301, 302, 307, 401, 404, 500])('takes only what comes with 200: %i', async (status) => {
  answer = (_request, response) => {
    response.writeHead(status, { location: `https://localhost:${port}/other` }).end(authority.crl({ number: 8 }).pem);
  };
  await expect(fetchNow()).rejects.toThrow(`the answer is ${status}`);
  expect(asked).toBe(1);
  expect(readFileSync(file, 'utf8')).toBe(good);
});

it.each<{ what: string; headers: Record<string, string> }>([
  { what: 'that is announced', headers: { 'content-length': String(3 * 1024 * 1024) } },
  { what: 'that is not', headers: {} },
])('gives up an answer larger than a list ever is, $what', async ({ headers }) => {
  let sent = 0;
  answer = (_request, response) => {
    response.writeHead(200, headers);
    const more = (): void => {
      if (response.destroyed) return;
      sent += 65_536;
      if (response.write(Buffer.alloc(65_536, 'A'))) setImmediate(more);
      else response.once('drain', more);
    };
    more();
  };
  await expect(fetchNow()).rejects.toThrow('larger than 2 MiB');
  // What the sockets between hold, and no more.
  expect(sent).toBeLessThan(32 * 1024 * 1024);
});

it('gives up an answer that never ends, after a time that is not counted anew with each byte', async () => {
  const clock = { ...createFakeClock(Date.now()) };
  const begun = new Promise<void>((resolve) => {
    answer = (_request, response) => {
      response.writeHead(200);
      response.write('-----BEGIN X509 CRL-----\n');
      resolve();
    };
  });
  const fetched = fetchNow(trusted(), undefined, undefined, clock);
  const refused = expect(fetched).rejects.toThrow('no whole answer within 10 s');
  await begun;
  clock.advance(10_000);
  await refused;
});

it('takes no answer that broke off', async () => {
  answer = (_request, response) => {
    const text = authority.crl({ number: 8 }).pem;
    response.writeHead(200, { 'content-length': String(text.length + 1) });
    response.write(text, () => response.destroy());
  };
  await expect(fetchNow()).rejects.toThrow();
  expect(readFileSync(file, 'utf8')).toBe(good);
});

it('asks nothing of a server of another CA, or of another name', async () => {
  const other = createAuthority();
  try {
    answer = giving(authority.crl({ number: 8 }).pem);
    await expect(fetchNow(trusted(), undefined, other.cert)).rejects.toThrow(/SELF_SIGNED|UNABLE_TO/);
    await expect(fetchNow(trusted(), `https://127.0.0.1:${port}/list`)).rejects.toThrow('ERR_TLS_CERT_ALTNAME_INVALID');
    await expect(fetchNow(trusted(), undefined, '')).rejects.toThrow('no CA to verify the server by');
    expect(asked).toBe(0);
  } finally {
    other.remove();
  }
});

function flipped(pem: string): string {
  const lines = pem.split('\n');
  const middle = lines[3] ?? '';
  lines[3] = (middle.startsWith('A') ? 'B' : 'A') + middle.slice(1);
  return lines.join('\n');
}
