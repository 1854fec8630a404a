import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import fp from 'fastify-plugin';
import { afterEach, describe, expect, test } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { createPasswordCheck, type PasswordCheck } from '../../../src/request/authenticate/password-check.ts';
import { authenticatePlugin } from '../../../src/request/authenticate/plugin.ts';
import type { Answer, RefusalDetails } from '../../../src/request/answer.ts';
import type { TlsFacts } from '../../../src/request/connection.ts';
import type { Passage } from '../../../src/request/passage.ts';
import { configOf, tlsOf } from '../../support/config-fixture.ts';
import { recordingLog } from '../../observe/recording-log.ts';
import { addresses, countingMetrics, NO_SANS, presented, tlsFacts, usersOf } from './fixtures.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

const CHAIN = [{ fingerprint: 'CA', serial: '01', issuerKey: 'ca', notBefore: 0, notAfter: Date.now() + 3_600_000 }];
const good = tlsFacts(presented({ chain: CHAIN, sans: { ...NO_SANS, dns: ['master.example.com'] } }));
const bad = tlsFacts(presented({ verifyError: 'CERT_REVOKED' }));
const none = tlsFacts(null);
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

type Refusal = { readonly reason: string } & RefusalDetails;

interface Started {
  readonly app: FastifyInstance;
  readonly refusals: Refusal[];
  readonly passages: Passage[];
  readonly drained: number[];
  readonly counted: (what: string) => number;
}

function answerOn(reply: FastifyReply, refusals: Refusal[]): Answer {
  const refuse: Answer['refuse'] = (reason, details = {}) => {
    refusals.push({ reason, ...details });
    reply.hijack();
    reply.raw.writeHead(401).end();
  };
  return { refuse } as Answer;
}

/** The step between a passage of paper and a handler that says who asks. */
async function start(changes: Partial<Config>, tls: TlsFacts | null = null, address = '192.0.2.1'): Promise<Started> {
  const config = configOf({ users: usersOf({ prom: ['secret'] }), ...changes });
  const metrics = countingMetrics();
  const passwordCheck: PasswordCheck = createPasswordCheck({ log: recordingLog(), metrics, clock: systemClock });
  passwordCheck.applied(config);
  const refusals: Refusal[] = [];
  const passages: Passage[] = [];
  const drained: number[] = [];
  const connection = {
    facts: { id: 1, peer: address, tls },
    judgedUnder: 1,
    authenticated: false,
    leaving: false,
    drain: (ms: number) => void drained.push(ms),
    destroy: () => undefined,
  };
  const app = Fastify({ logger: false });
  await app.register(
    fp(
      (instance, _options, done) => {
        instance.decorateRequest('passage', null as unknown as Passage);
        instance.addHook('onRequest', (request, reply, next) => {
          const [path = '', query = ''] = request.url.split('?');
          const target = { method: request.method, path, query };
          const passage = { config, connection, target, address, identity: null, releases: [] };
          request.passage = { ...passage, answer: answerOn(reply, refusals) } as unknown as Passage;
          passages.push(request.passage);
          next();
        });
        done();
      },
      { name: 'accept' },
    ),
  );
  await app.register(authenticatePlugin, { passwordCheck, clock: systemClock });
  app.all('/*', (request) => request.passage.identity?.name ?? 'nobody');
  closers.push(
    () => app.close(),
    () => passwordCheck.close(),
  );
  return { app, refusals, passages, drained, counted: (what) => metrics.counts.get(what) ?? 0 };
}

async function ask(
  { app, refusals }: Started,
  authorization?: string,
  url = '/metrics',
  method: 'GET' | 'POST' = 'GET',
) {
  const before = refusals.length;
  const headers = authorization === undefined ? {} : { authorization };
  const response = await app.inject({ method, url, headers });
  return refusals.length > before ? (refusals.at(-1)?.reason ?? '') : response.body;
}

const trusting = (type: 'VerifyClientCertIfGiven' | 'RequireAndVerifyClientCert' | 'RequestClientCert') =>
  tlsOf({ trust: { type, ca: [], caFingerprints: new Set(['CA']), crls: [], crlOnExpiry: 'deny', allowedSans: [] } });

describe('password', () => {
  test('user and password come out of the header', async () => {
    const gate = await start({ authenticate: 'password' });
    expect(await ask(gate, basic('prom', 'secret'))).toBe('password:prom');
    expect(await ask(gate, basic('prom', 'wrong'))).toBe('credentials_wrong');
    expect(await ask(gate)).toBe('credentials_missing');
  });

  test('a password in UTF-8, with colons, is taken as it is', async () => {
    const gate = await start({ authenticate: 'password', users: usersOf({ prom: ['pä:ss:wörd €'] }) });
    expect(await ask(gate, basic('prom', 'pä:ss:wörd €'))).toBe('password:prom');
    expect(await ask(gate, basic('prom', 'pä'))).toBe('credentials_wrong');
  });

  test.each([
    'Bearer abc',
    'Basic',
    'Basic  cHJvbTpzZWNyZXQ=',
    ' Basic cHJvbTpzZWNyZXQ= x',
    'Basic cHJvbTpzZWNyZXQ=,Basic cHJvbTpzZWNyZXQ=',
    'Basic cHJvbXNlY3JldA==',
    'Basic !!!',
    `Basic ${Buffer.from('prom\0:secret').toString('base64')}`,
    `Basic ${Buffer.from('prom:sec\nret').toString('base64')}`,
    'Digest username="prom"',
  ])('%j is malformed, and no failed login', async (authorization) => {
    const gate = await start({ authenticate: 'password' });
    expect(await ask(gate, authorization)).toBe('credentials_malformed');
    expect(gate.counted('computed')).toBe(0);
  });

  test('the identity is set, and the connection counts as authenticated', async () => {
    const gate = await start({ authenticate: 'password' });
    await ask(gate, basic('prom', 'wrong'));
    expect(gate.passages[0]).toMatchObject({ identity: null, connection: { authenticated: false } });
    await ask(gate, basic('prom', 'secret'));
    expect(gate.passages[1]).toMatchObject({
      identity: { name: 'password:prom', label: 'prom', user: 'prom', claim: { kind: 'open' } },
      connection: { authenticated: true },
    });
  });

  test('what must be released when the client leaves is on the passage', async () => {
    const gate = await start({ authenticate: 'password' });
    await ask(gate, basic('prom', 'secret'));
    expect(gate.passages[0]?.releases).toHaveLength(1);
    for (const release of gate.passages[0]?.releases ?? []) expect(release).not.toThrow();
  });

  test('a lockout carries the seconds', async () => {
    const gate = await start({ authenticate: 'password' });
    for (let time = 0; time < 11; time++) await ask(gate, basic('prom', `wrong ${String(time)}`));
    expect(await ask(gate, basic('prom', 'one more'))).toBe('locked_out');
    expect(gate.refusals.at(-1)?.retryAfterSeconds).toBeGreaterThan(290);
  });
});

describe('certificate', () => {
  test('identifies its holder', async () => {
    const gate = await start({ authenticate: 'either', tls: trusting('VerifyClientCertIfGiven') }, good);
    expect(await ask(gate)).toBe('certificate:master.example.com');
    expect(gate.passages[0]?.identity).toMatchObject({ label: 'certificate', certificate: { serial: '1001' } });
  });

  test('a bad one with a good password is refused, without hashing, and the connection goes', async () => {
    const gate = await start({ authenticate: 'either', tls: trusting('VerifyClientCertIfGiven') }, bad);
    expect(await ask(gate, basic('prom', 'secret'))).toBe('certificate_revoked');
    expect(gate.counted('computed')).toBe(0);
    expect(gate.drained).toEqual([10_000]);
    expect(gate.refusals[0]?.detail).toBe('"CN=master" serial 1001: CERT_REVOKED');
  });

  test('a good one with a bad password is refused', async () => {
    const gate = await start({ authenticate: 'either', tls: trusting('VerifyClientCertIfGiven') }, good);
    expect(await ask(gate, basic('prom', 'wrong'))).toBe('credentials_wrong');
    expect(await ask(gate, 'Bearer x')).toBe('credentials_malformed');
    expect(gate.drained).toEqual([]);
  });

  test('both needs both, and hashes nothing without a certificate', async () => {
    const config: Partial<Config> = { authenticate: 'both', tls: trusting('RequireAndVerifyClientCert') };
    const without = await start(config, none);
    expect(await ask(without, basic('prom', 'secret'))).toBe('certificate_missing');
    expect(without.counted('computed')).toBe(0);
    const gate = await start(config, good);
    expect(await ask(gate)).toBe('credentials_missing');
    expect(await ask(gate, basic('prom', 'secret'))).toBe('password:prom');
  });

  test('in certificate mode a header is looked at only where there are users', async () => {
    const config: Partial<Config> = { authenticate: 'certificate', tls: trusting('RequireAndVerifyClientCert') };
    const withUsers = await start(config, good);
    expect(await ask(withUsers, basic('prom', 'wrong'))).toBe('credentials_wrong');
    expect(await ask(withUsers, basic('prom', 'secret'))).toBe('certificate:master.example.com');
    const withoutUsers = await start({ ...config, users: new Map() }, good);
    expect(await ask(withoutUsers, basic('prom', 'wrong'))).toBe('certificate:master.example.com');
    expect(await ask(withoutUsers, 'Bearer x')).toBe('certificate:master.example.com');
  });

  test('one that was only requested identifies nobody', async () => {
    const gate = await start({ authenticate: 'either', tls: trusting('RequestClientCert') }, good);
    expect(await ask(gate)).toBe('credentials_missing');
  });

  test('its end is seen by the next request on a live connection', async () => {
    const ended = presented({ chain: CHAIN.map((link) => ({ ...link, notAfter: Date.now() - 1 })) });
    const gate = await start({ authenticate: 'either', tls: trusting('VerifyClientCertIfGiven') }, tlsFacts(ended));
    expect(await ask(gate)).toBe('certificate_expired');
  });

  test('a connection that was never asked for one goes, so that the client can show one', async () => {
    const config: Partial<Config> = { authenticate: 'either', tls: trusting('VerifyClientCertIfGiven') };
    const notAsked = await start(config, tlsFacts(null, false));
    expect(await ask(notAsked)).toBe('credentials_missing');
    expect(notAsked.drained).toHaveLength(1);
    expect(await ask(notAsked, basic('prom', 'secret'))).toBe('password:prom');
    const asked = await start(config, none);
    await ask(asked);
    expect(asked.drained).toEqual([]);
  });
});

describe('exempt paths', () => {
  const exempt = [{ paths: new Set(['/-/healthy']), from: addresses('192.0.2.0/24') }];

  test('need nothing, whatever is offered, and make nobody', async () => {
    const gate = await start({ authenticate: 'both', tls: trusting('RequireAndVerifyClientCert'), exempt }, bad);
    expect(await ask(gate, undefined, '/-/healthy')).toBe('anonymous');
    expect(await ask(gate, basic('prom', 'wrong'), '/-/healthy?x=1')).toBe('anonymous');
    expect(gate.counted('computed')).toBe(0);
    expect(gate.passages[0]?.connection.authenticated).toBe(false);
    expect(gate.drained).toEqual([]);
  });

  test('are for some addresses, for GET, and for no other path', async () => {
    const gate = await start({ authenticate: 'password', exempt });
    expect(await ask(gate, undefined, '/-/healthy', 'POST')).toBe('credentials_missing');
    expect(await ask(gate, undefined, '/-/ready')).toBe('credentials_missing');
    const elsewhere = await start({ authenticate: 'password', exempt }, null, '198.51.100.1');
    expect(await ask(elsewhere, undefined, '/-/healthy')).toBe('credentials_missing');
  });
});

test('without authentication everybody is anonymous, and keeps the connection', async () => {
  const gate = await start({ authenticate: 'none', users: new Map() });
  expect(await ask(gate)).toBe('anonymous');
  expect(await ask(gate, basic('prom', 'wrong'))).toBe('anonymous');
  expect(gate.passages[0]?.connection.authenticated).toBe(true);
});

test('a wrong order of the steps refuses to boot', async () => {
  const app = Fastify();
  closers.push(() => app.close());
  const passwordCheck = { check: () => () => undefined } as unknown as PasswordCheck;
  await expect(async () => {
    await app.register(authenticatePlugin, { passwordCheck, clock: systemClock });
    await app.ready();
  }).rejects.toThrow(/accept/);
});
