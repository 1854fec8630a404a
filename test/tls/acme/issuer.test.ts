/** Orders at a real Pebble, which refuses every second nonce: accounts, names, keys, profiles and renewal information. */
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeCertificate } from '../../../src/formats/x509.ts';
import { certificateId } from '../../../src/tls/acme/certificate-id.ts';
import { AcmeFailure } from '../../../src/tls/acme/contract.ts';
import { startPebble, type Pebble } from '../../support/pebble.ts';
import { poll } from '../../support/poll.ts';
import { createTestIssuer, type TestIssuer } from '../../support/acme-orders.ts';

let pebble: Pebble;
beforeAll(async () => {
  pebble = await startPebble();
});
afterAll(async () => {
  await pebble.stop();
});

const leafOf = (cert: string) => describeCertificate(new X509Certificate(cert).raw);
const httpIssuer = (): TestIssuer => createTestIssuer({ kind: 'http-01', listen: `127.0.0.1:${pebble.httpPort}` });
const failureOf = async (work: Promise<unknown>): Promise<AcmeFailure> => {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AcmeFailure);
  return error as AcmeFailure;
};

describe('an order', () => {
  it('brings a certificate of the CA for two names, with its chain and the key that was made for it', async () => {
    const { cert, key, progress } = await httpIssuer().order(pebble.directory, {
      names: ['a.example.com', 'b.example.com'],
    });
    const leaf = leafOf(cert);
    expect(leaf.sans.dns.toSorted()).toEqual(['a.example.com', 'b.example.com']);
    expect(cert.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(1);
    expect(leaf.keyType).toBe('ec');
    expect(key).toContain('PRIVATE KEY');
    const [, intermediate] = cert.split(/(?<=-----END CERTIFICATE-----\n)/);
    const root = new X509Certificate(await pebble.root());
    expect(new X509Certificate(intermediate!).verify(root.publicKey)).toBe(true);
    expect(progress.map((line) => line.split(':')[0])).toEqual(
      expect.arrayContaining(['account', 'order', 'challenge', 'validation', 'issue', 'issued']),
    );
    expect(progress.join()).not.toContain('PRIVATE');
  });

  it('brings a certificate for an IP address', async () => {
    const { cert } = await httpIssuer().order(pebble.directory, { names: ['127.0.0.1'] });
    expect(leafOf(cert).sans).toMatchObject({ dns: [], ip: ['127.0.0.1'] });
  });

  it.each([
    ['p384', { type: 'ec', curve: 'secp384r1' }],
    ['rsa2048', { type: 'rsa', bits: 2048 }],
    ['rsa4096', { type: 'rsa', bits: 4096 }],
  ] as const)('brings a certificate over a %s key', async (keyType, wanted) => {
    const { cert } = await httpIssuer().order(pebble.directory, { names: ['k.example.com'], keyType });
    const { publicKey } = new X509Certificate(cert);
    expect(publicKey.asymmetricKeyType).toBe(wanted.type);
    const { namedCurve, modulusLength } = publicKey.asymmetricKeyDetails ?? {};
    expect({ namedCurve, modulusLength }).toEqual(
      'curve' in wanted ? { namedCurve: wanted.curve } : { modulusLength: wanted.bits },
    );
  });

  it('asks for the profile, and refuses one that the CA does not have', async () => {
    const issuer = httpIssuer();
    const { cert } = await issuer.order(pebble.directory, { names: ['p.example.com'], profile: 'shortlived' });
    const { notBefore, notAfter } = leafOf(cert);
    expect(Math.round((notAfter - notBefore) / 86_400_000)).toBe(6);
    const failure = await failureOf(issuer.order(pebble.directory, { names: ['p.example.com'], profile: 'tlsserver' }));
    expect(failure.kind).toBe('refused');
    expect(failure.message).toMatch(/no profile "tlsserver", only default, shortlived|only shortlived, default/);
  });

  it('names the certificate that it replaces, and does without when the CA refuses that', async () => {
    const issuer = httpIssuer();
    // Pebble hands a certificate out a moment before it knows of which order it is.
    const replaces = await poll('an order that names what it replaces', async () => {
      const { cert } = await issuer.order(pebble.directory, { names: ['r.example.com'] });
      const id = certificateId(cert);
      expect(id).not.toBeNull();
      const { progress } = await issuer.order(pebble.directory, { names: ['r.example.com'], replaces: id });
      return !progress.join().includes('without naming') && id;
    });
    expect(pebble.process.output()).toMatch(/is a replacement of/i);
    const third = await issuer.order(pebble.directory, { names: ['r.example.com'], replaces });
    expect(third.progress.join()).toContain('without naming the certificate that it replaces');
    expect(leafOf(third.cert).sans.dns).toEqual(['r.example.com']);
  });

  it('does without, too, when the CA stumbles over the certificate that is replaced', async () => {
    const issuer = httpIssuer();
    const { cert } = await issuer.order(pebble.directory, { names: ['s.example.com'] });
    const [authority = ''] = (certificateId(cert) ?? '').split('.');
    const unknown = `${authority}.${Buffer.from('0123456789abcdef', 'hex').toString('base64url')}`;
    const { progress } = await issuer.order(pebble.directory, { names: ['s.example.com'], replaces: unknown });
    expect(progress.join()).toMatch(/without naming the certificate that it replaces: .* answered 500/);
  });

  it('fails with the words of the CA when the CA cannot find the name', async () => {
    pebble.dns.missing.add('gone.example.com');
    const failure = await failureOf(httpIssuer().order(pebble.directory, { names: ['gone.example.com'] }));
    expect(failure.kind).toBe('challenge');
    expect(failure.message).toMatch(/could not verify gone\.example\.com: .*gone\.example\.com/);
  });

  it('ends when it is told to', async () => {
    const controller = new AbortController();
    const issuer = createTestIssuer({
      type: 'http-01',
      answerer: {
        present: () => {
          controller.abort();
          return new Promise(() => undefined);
        },
      },
    });
    const failure = await failureOf(
      issuer.order(pebble.directory, { names: ['e.example.com'], signal: controller.signal }),
    );
    expect(failure.kind).toBe('timeout');
  });
});

describe('an account', () => {
  it('is made once and used again by the next process', async () => {
    const before = httpIssuer();
    expect((await before.order(pebble.directory, { names: ['1.example.com'] })).progress.join()).toContain(
      'new account',
    );
    const after = createTestIssuer(
      { kind: 'http-01', listen: `127.0.0.1:${pebble.httpPort}` },
      { accounts: before.accounts },
    );
    const { progress } = await after.order(pebble.directory, { names: ['2.example.com'] });
    expect(progress.join()).not.toContain('new account');
    expect(before.accounts.keys.size).toBe(1);
  });

  it('is made by one of two orders at once', async () => {
    const issuer = httpIssuer();
    const both = await Promise.all(
      ['3.example.com', '4.example.com'].map((name) => issuer.order(pebble.directory, { names: [name] })),
    );
    expect(both.flatMap(({ progress }) => progress).filter((line) => line.includes('new account'))).toHaveLength(1);
  });

  it('gets the address that is configured now, from the next process on', async () => {
    const challenge = { kind: 'http-01', listen: `127.0.0.1:${pebble.httpPort}` } as const;
    const first = createTestIssuer(challenge, { email: 'old@example.com' });
    await first.order(pebble.directory, { names: ['6.example.com'] });
    const tell = async (email: string): Promise<string> => {
      const issuer = createTestIssuer(challenge, { accounts: first.accounts, email });
      return (await issuer.order(pebble.directory, { names: ['6.example.com'] })).progress.join();
    };
    expect(await tell('old@example.com')).not.toContain('contact');
    expect(await tell('new@example.com')).toContain('the contact of the account at pebble was brought up to date');
    expect(await tell('new@example.com')).not.toContain('contact');
    // What the CA does not take costs no certificate.
    expect(await tell('ü@example.com')).toContain('pebble did not take the contact');
  });

  it('that the CA has lost is made anew with the same key, in this process and in the next', async () => {
    const issuer = httpIssuer();
    await issuer.order(pebble.directory, { names: ['5.example.com'] });
    const [key] = issuer.accounts.keys.values();
    await pebble.restart();
    const { progress } = await issuer.order(pebble.directory, { names: ['5.example.com'] });
    expect(progress.join()).toMatch(/does not know the account any longer.*a new account was made/);
    expect([...issuer.accounts.keys.values()]).toEqual([key]);
    await pebble.restart();
    const next = createTestIssuer(
      { kind: 'http-01', listen: `127.0.0.1:${pebble.httpPort}` },
      { accounts: issuer.accounts },
    );
    expect((await next.order(pebble.directory, { names: ['5.example.com'] })).progress.join()).toContain('new account');
  });
});

describe('a binding to an external account', () => {
  const hmacKey = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
  let bound: Pebble;
  beforeAll(async () => {
    bound = await startPebble({ externalAccounts: { 'kid-1': hmacKey } });
  });
  afterAll(async () => {
    await bound.stop();
  });

  it('is sent with the account, and asked for no more once there is one', async () => {
    const challenge = { kind: 'http-01', listen: `127.0.0.1:${bound.httpPort}` } as const;
    const directory = { ...bound.directory, externalAccount: { keyId: 'kid-1', hmacKey } };
    const first = createTestIssuer(challenge);
    await first.order(directory, { names: ['eab.example.com'] });
    const second = createTestIssuer(challenge, { accounts: first.accounts });
    const { cert } = await second.order(bound.directory, { names: ['eab.example.com'] });
    expect(leafOf(cert).sans.dns).toEqual(['eab.example.com']);
  });

  it('that is missing or wrong is a failure of the account', async () => {
    const issuer = createTestIssuer({ kind: 'http-01', listen: `127.0.0.1:${bound.httpPort}` });
    const missing = await failureOf(issuer.order(bound.directory, { names: ['eab.example.com'] }));
    expect(missing.kind).toBe('account');
    const wrong = { keyId: 'kid-1', hmacKey: Buffer.alloc(48).toString('base64url') };
    const refused = await failureOf(
      issuer.order({ ...bound.directory, externalAccount: wrong }, { names: ['eab.example.com'] }),
    );
    expect(['account', 'refused']).toContain(refused.kind);
    expect(refused.message).not.toContain(wrong.hmacKey);
  });
});

describe('renewal information', () => {
  it('is the window that the CA gives, with its explanation and when to ask again', async () => {
    const issuer = httpIssuer();
    const { cert } = await issuer.order(pebble.directory, { names: ['ari.example.com'] });
    const usual = await issuer.issuer.renewalInfo(pebble.directory, cert);
    const { notAfter } = leafOf(cert);
    expect(usual?.start).toBeLessThan(usual!.end);
    expect(usual?.end).toBeLessThan(notAfter);
    expect(usual?.retryAfterMs).toBeGreaterThan(60_000);
    await pebble.setRenewalInfo(cert, {
      suggestedWindow: { start: '2026-01-02T03:04:05Z', end: '2026-01-03T03:04:05.5Z' },
      explanationURL: 'https://ca.example/why',
    });
    expect(await issuer.issuer.renewalInfo(pebble.directory, cert)).toMatchObject({
      start: Date.UTC(2026, 0, 2, 3, 4, 5),
      end: Date.UTC(2026, 0, 3, 3, 4, 5, 500),
      explanationUrl: 'https://ca.example/why',
    });
  });

  it('that is no window is garbage', async () => {
    const issuer = httpIssuer();
    const { cert } = await issuer.order(pebble.directory, { names: ['ari.example.com'] });
    await pebble.setRenewalInfo(cert, {
      suggestedWindow: { start: '2026-01-03T03:04:05Z', end: '2026-01-02T00:00:00Z' },
    });
    expect((await failureOf(issuer.issuer.renewalInfo(pebble.directory, cert))).kind).toBe('garbage');
  });
});
