/**
 * The attack: getting a certificate that is not one's own. A one-time token is a password for the CA itself: it must not
 * be guessed, used twice (also by two at the same moment), used late, or turned into another name; and who has none must
 * not even see that there is something to ask for.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { parseCertificates } from '../../src/formats/x509.ts';
import type { CertificateInfo } from '../../src/formats/x509.ts';
import { authorityPaths, readIndex } from '../../src/tls/authority/authority-directory.ts';
import { encryptKey } from '../../src/tls/authority/keys.ts';
import { newRequest, PASSWORD, startEnrollingGate, USER } from '../support/enrolling-gate.ts';
import type { Answered, EnrollingGate } from '../support/enrolling-gate.ts';
import { poll } from '../support/poll.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const CERTIFICATE = 'authenticate: certificate\nenrollment: {authority: certs}';

let gate: EnrollingGate;

afterEach(async () => {
  await gate.close();
});

function leafOf({ status, body }: Answered): CertificateInfo {
  const certificates = parseCertificates(body);
  const [leaf] = certificates.ok ? certificates.value : [];
  if (status !== 200 || leaf === undefined) throw new Error(`${String(status)} ${body}`);
  return leaf;
}

const issued = async () => (await readIndex(authorityPaths(gate.path('certs')))).issued;
const reasons = () => gate.refusals.slice();

/** A request that is in order, for a key that the own CA does not certify. */
function opensslRequest(keyType: string): string {
  const argv = ['req', '-new', '-newkey', keyType, '-nodes', '-subj', '/CN=x', '-keyout', '/dev/null'];
  return execFileSync('openssl', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Without what differs from answer to answer. */
function comparable({ status, headers, body }: Answered): object {
  const rest = Object.entries(headers).filter(([name]) => name !== 'date' && name !== 'x-request-id');
  // Where `Connection: close` stands depends on how much of the body had come.
  return {
    status,
    headers: rest.sort(([a], [b]) => (a < b ? -1 : 1)),
    body: body.replace(/request [0-9a-f]{16}/, 'request ID'),
  };
}

describe('a token', () => {
  it('buys one certificate, with its own names whatever the request asks for, and is gone', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const token = await gate.token('central', { days: 7 });
    const { key, request } = await newRequest('admin');
    const answer = await gate.ask({ token, body: request });
    const leaf = leafOf(answer);
    expect(leaf).toMatchObject({
      commonName: 'central',
      sans: { dns: ['central.example.com'], ip: [], email: [], uri: [] },
    });
    expect(leaf.notAfter - leaf.notBefore).toBe(7 * DAY_MS + 5 * MINUTE_MS);
    expect(leaf.isCa).toBe(false);
    expect(answer.body).toBe(leaf.pem + gate.ca.cert);
    expect(await issued()).toMatchObject([{ name: 'central', serial: leaf.serial }]);
    expect(await gate.ask({ path: '/metrics', method: 'GET', client: { cert: leaf.pem, key } })).toMatchObject({
      status: 200,
    });
    expect(gate.text('certs/enrollment-tokens.json')).not.toContain('central');
    await gate.enroller.look();
    expect(await gate.ask({ token, body: request })).toMatchObject({ status: 0 });
    expect(await issued()).toHaveLength(1);
  });

  it('is nowhere on the disk and in no line of the log', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const token = await gate.token('central');
    expect(gate.text('certs/enrollment-tokens.json')).not.toContain(token);
    expect(statSync(gate.path('certs/enrollment-tokens.json')).mode & 0o777).toBe(0o600);
    await gate.token('other');
    await gate.ask({ token: 'f'.repeat(32), body: 'x' });
    leafOf(await gate.ask({ token, body: (await newRequest()).request }));
    expect(JSON.stringify(gate.log.lines)).not.toContain(token);
    expect(JSON.stringify(gate.log.lines)).not.toContain('f'.repeat(32));
  });

  it('is had by one of many who come with it at the same moment', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const token = await gate.token('central');
    // A second one keeps enrollment open, so that every loser gets an answer.
    await gate.token('other');
    const requests = await Promise.all(Array.from({ length: 8 }, () => newRequest()));
    const answers = await Promise.all(requests.map(({ request }) => gate.ask({ token, body: request })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 7 }, () => 401)]);
    expect(await issued()).toHaveLength(1);
  });

  it('of one name makes no certificate of another', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const [first, second] = [await gate.token('first'), await gate.token('second')];
    const names: (string | null)[] = [];
    for (const token of [second, first]) {
      names.push(leafOf(await gate.ask({ token, body: (await newRequest('second')).request })).commonName);
    }
    expect(names).toEqual(['second', 'first']);
  });

  it('is of no use once its time is over, or when the clock was set back before it was made', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const { request } = await newRequest();
    const late = await gate.token('late', { minutes: 1 });
    gate.advance(MINUTE_MS);
    await gate.token('other', { minutes: 60 });
    expect(await gate.ask({ token: late, body: request })).toMatchObject({ status: 401 });
    const later = await gate.token('later', { minutes: 60 });
    gate.advance(-30 * MINUTE_MS);
    await gate.token('another');
    expect(await gate.ask({ token: later, body: request })).toMatchObject({ status: 401 });
    expect(reasons()).toEqual(['credentials_wrong', 'credentials_wrong']);
    expect(await issued()).toEqual([]);
  });

  it('that ends or is cancelled between the first look and the signing is refused then', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const token = await gate.token('central');
    await gate.token('other');
    // What the gate remembers is older than the file.
    const file = gate.path('certs/enrollment-tokens.json');
    const text = readFileSync(file, 'utf8');
    const kept = JSON.parse(text) as { tokens: { name: string }[] };
    expect(gate.enroller.knows(token)).toBe(true);
    writeFileSync(file, JSON.stringify({ ...kept, tokens: kept.tokens.filter(({ name }) => name !== 'central') }));
    const answer = gate.enroller.enroll(token, { address: '192.0.2.1', request: (await newRequest()).request });
    expect(await answer).toMatchObject({ kind: 'refused', reason: 'credentials_wrong' });
    expect(await issued()).toEqual([]);
  });

  it('in a file that others may write, or that is damaged, counts for nothing', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const token = await gate.token('central');
    expect(gate.enroller.isOpen()).toBe(true);
    const file = gate.path('certs/enrollment-tokens.json');
    const text = readFileSync(file, 'utf8');
    chmodSync(file, 0o666);
    await gate.enroller.look();
    expect(gate.enroller.knows(token)).toBe(false);
    chmodSync(file, 0o600);
    writeFileSync(file, text.slice(0, -10));
    await gate.enroller.look();
    expect(gate.enroller.isOpen()).toBe(false);
    expect(gate.log.lines.filter(({ level }) => level === 'error')).toHaveLength(2);
  });

  it('is not used up by a request that cannot be signed: garbage, not by its own key, or of a key that is not certified', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const token = await gate.token('central');
    const { request } = await newRequest();
    const der = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    // A bit of the signature.
    der.writeUInt8((der[der.length - 1] ?? 0) ^ 1, der.length - 1);
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    for (const body of [
      '',
      'garbage',
      forged,
      request + request,
      opensslRequest('ed25519'),
      opensslRequest('rsa:1024'),
    ]) {
      expect(await gate.ask({ token, body })).toMatchObject({ status: 400 });
    }
    expect(await gate.ask({ token, body: 'x'.repeat(20_000) })).toMatchObject({ status: 413 });
    expect(new Set(reasons())).toEqual(new Set(['enrollment_request_invalid', 'body_too_large']));
    expect(leafOf(await gate.ask({ token, body: request })).commonName).toBe('central');
  });

  it('is used up when the CA cannot sign, and nobody is told why but the log', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const token = await gate.token('central');
    writeFileSync(gate.path('certs/ca-index.json'), 'damaged');
    const answer = await gate.ask({ token, body: (await newRequest()).request });
    expect(answer.status).toBe(503);
    expect(answer.body).toMatch(/^no certificate can be issued now \(request [0-9a-f]{16}\)\n$/);
    expect(reasons()).toEqual(['enrollment_failed']);
    expect(JSON.stringify(gate.log.lines)).toContain('ca-index.json cannot be used');
    await gate.enroller.look();
    expect(gate.enroller.isOpen()).toBe(false);
  });

  it('waits where the key has a passphrase: it is not used up, and nothing is signed', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const token = await gate.token('central');
    writeFileSync(gate.path('certs/ca.key'), encryptKey(gate.ca.key, 'a long passphrase'));
    const { request } = await newRequest();
    expect(await gate.ask({ token, body: request })).toMatchObject({ status: 503 });
    writeFileSync(gate.path('certs/ca.key'), gate.ca.key);
    leafOf(await gate.ask({ token, body: request }));
  });
});

describe('guessing tokens', () => {
  it('locks the address out like guessing passwords, from the right token too', async () => {
    gate = await startEnrollingGate(`${CERTIFICATE}\nlockout: {attempts: 3, duration: 5m}`);
    const token = await gate.token('central', { minutes: 60 });
    const { request } = await newRequest();
    for (const digit of ['a', 'b', 'c']) {
      expect(await gate.ask({ token: digit.repeat(32), body: request })).toMatchObject({ status: 401 });
    }
    const locked = await gate.ask({ token, body: request });
    expect(locked.status).toBe(429);
    expect(Number(locked.headers['retry-after'])).toBeGreaterThan(200);
    expect(reasons()).toEqual(['credentials_wrong', 'credentials_wrong', 'credentials_wrong', 'locked_out']);
    expect(gate.log.lines.filter(({ message }) => message === 'login failed')).toHaveLength(4);
    expect(await gate.ask({ token, body: request, from: '127.0.0.2' })).toMatchObject({ status: 200 });
    gate.advance(5 * MINUTE_MS);
    await gate.enroller.look();
  });

  it('counts the same wrong token once, and the one who lost a race', async () => {
    gate = await startEnrollingGate(`${CERTIFICATE}\nlockout: {attempts: 2}`);
    const token = await gate.token('central');
    await gate.token('other');
    for (let time = 0; time < 5; time++) {
      expect(await gate.ask({ token: 'a'.repeat(32), body: 'x' })).toMatchObject({ status: 401 });
    }
    leafOf(await gate.ask({ token, body: (await newRequest()).request }));
    await gate.enroller.look();
    expect(await gate.ask({ token, body: 'x' })).toMatchObject({ status: 401 });
    expect(await gate.ask({ token: 'b'.repeat(32), body: 'x' })).toMatchObject({ status: 429 });
  });

  it('by what is no token at all counts as well', async () => {
    gate = await startEnrollingGate(`${CERTIFICATE}\nlockout: {attempts: 2}`);
    await gate.token('central');
    expect(await gate.ask({ token: 'x', body: '' })).toMatchObject({ status: 401 });
    expect(await gate.ask({ token: 'A'.repeat(4000), body: '' })).toMatchObject({ status: 401 });
    expect(await gate.ask({ token: 'y', body: '' })).toMatchObject({ status: 429 });
  });
});

describe('who brings no token', () => {
  const MODES = ['certificate', 'either', 'both'];

  it.each(MODES)(
    'is told the same as on every other path, also while one is pending: authenticate %s',
    async (mode) => {
      const users = mode === 'certificate' ? '' : 'htpasswd_file: htpasswd\n';
      // Exempt paths keep the connections of strangers open, so that there is an answer to compare.
      const exempt = 'exempt: [{paths: [/metrics], from: [192.0.2.1]}]';
      gate = await startEnrollingGate(`authenticate: ${mode}\n${users}${exempt}\nenrollment: {authority: certs}`);
      const body = (await newRequest()).request;
      const basic = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
      const ways = [
        { body },
        { body, method: 'PUT' },
        { method: 'GET' },
        { body, headers: { authorization: 'Basic eDp5' } },
        { body, headers: { authorization: basic } },
        { body, client: await gate.client('known') },
        { body, client: await gate.client('known'), headers: { authorization: basic } },
      ];
      const compare = async (): Promise<void> => {
        for (const way of ways) {
          const there = await gate.ask(way);
          const elsewhere = await gate.ask({ ...way, path: '/-/promgate/elsewhere' });
          expect(comparable(there)).toEqual(comparable(elsewhere));
          expect([401, 404]).toContain(there.status);
        }
      };
      await compare();
      // Without a pending token not even a token is looked at.
      ways.push({ body, headers: { authorization: `Bearer ${'a'.repeat(32)}` } });
      await compare();
      ways.pop();
      await gate.token('central');
      await compare();
      expect(await issued()).toEqual([]);
    },
  );

  it('is let to the handshake only while a token is pending, and to nothing behind it', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const stranger = { path: '/metrics', method: 'GET' };
    expect(await gate.ask(stranger)).toMatchObject({ status: 0 });
    await gate.token('central', { minutes: 1 });
    expect(await gate.ask(stranger)).toMatchObject({ status: 401 });
    gate.advance(MINUTE_MS);
    await poll('the end of the token', async () => (await gate.ask(stranger)).status === 0);
  });

  it('and is not allowed to connect cannot use a token either', async () => {
    gate = await startEnrollingGate(`${CERTIFICATE}\nallow: [127.0.0.1]`);
    const token = await gate.token('central');
    const { request } = await newRequest();
    expect(await gate.ask({ token, body: request, from: '127.0.0.2' })).toMatchObject({ status: 0 });
    expect(await gate.ask({ token, body: request })).toMatchObject({ status: 200 });
  });

  it('finds no such path where the configuration has no enrollment, whatever lies beside the CA', async () => {
    gate = await startEnrollingGate('authenticate: certificate');
    const token = await gate.token('central');
    expect(await gate.ask({ token, body: (await newRequest()).request })).toMatchObject({ status: 0 });
    const client = await gate.client('known');
    expect(await gate.ask({ token, body: 'x', client })).toMatchObject({ status: 404 });
    expect(reasons()).toEqual(['certificate_missing', 'path_unknown']);
  });

  it('but a bad certificate beside a good token is refused', async () => {
    gate = await startEnrollingGate(CERTIFICATE);
    const token = await gate.token('central');
    const other = await startEnrollingGate(CERTIFICATE);
    const client = await other.client('stranger');
    await other.close();
    expect(await gate.ask({ token, body: (await newRequest()).request, client })).toMatchObject({ status: 0 });
    expect(reasons()).toEqual(['certificate_unknown_ca']);
    expect(await issued()).toEqual([]);
  });
});
