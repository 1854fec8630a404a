import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeyPair } from '../../../src/config/config.ts';
import { keyMatches, parseCertificates } from '../../../src/formats/x509.ts';
import { readIndex } from '../../../src/tls/authority/authority-directory.ts';
import { createCa } from '../../../src/tls/authority/certificate-authority.ts';
import { issueServer } from '../../../src/tls/authority/issue.ts';
import { createRenewer, decideRenewal } from '../../../src/tls/authority/renewer.ts';
import type { Renewer } from '../../../src/tls/authority/renewer.ts';
import { prepareRotation, switchSigner } from '../../../src/tls/authority/rotation.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { createAuthorityFixture } from './authority-fixture.ts';
import type { AuthorityFixture } from './authority-fixture.ts';

const DAY_MS = 86_400_000;

let clock: FakeClock;
let fixture: AuthorityFixture;
let renewer: Renewer;
let errors: object[];
let outcomes: boolean[];
let pair: KeyPair;

function pairIn(name: string): KeyPair {
  const cert = fixture.text(name);
  const certificates = parseCertificates(cert);
  const [leaf] = certificates.ok ? certificates.value : [];
  if (leaf === undefined) throw new Error('no certificate');
  const { notBefore, notAfter, serial, issuer, keyType, sans } = leaf;
  const names = [...sans.dns, ...sans.ip];
  return {
    cert,
    key: fixture.text('server.key'),
    name: fixture.path(name),
    names,
    notBefore,
    notAfter,
    serial,
    issuer,
    keyType,
  };
}

beforeEach(async () => {
  clock = createFakeClock(Math.floor(Date.now() / 1000) * 1000);
  fixture = await createAuthorityFixture(clock);
  errors = [];
  outcomes = [];
  const server = await issueServer({
    ca: fixture.ca,
    names: ['gate.example.com', '10.0.0.1'],
    days: 90,
    now: clock.now(),
  });
  fixture.write('server.crt', server.cert + fixture.ca.cert);
  fixture.write('server.key', server.key);
  pair = pairIn('server.crt');
  renewer = createRenewer({
    clock,
    log: { info: () => undefined, warn: () => undefined, error: (fields) => void errors.push(fields) },
    metrics: { certificateRenewed: (_, ok) => outcomes.push(ok) },
  });
});
afterEach(() => {
  renewer.close();
  fixture.remove();
});

describe('a server certificate of the own CA', () => {
  it('is renewed with a third of its life left: same names, same key, same chain, in the index', async () => {
    clock.advance(59 * DAY_MS);
    renewer.follow([pair]);
    await renewer.look();
    expect(fixture.text('server.crt')).toBe(pair.cert);
    clock.advance(2 * DAY_MS);
    await renewer.look();
    const renewed = pairIn('server.crt');
    expect(renewed).toMatchObject({ names: pair.names, notAfter: clock.now() + 90 * DAY_MS });
    expect(renewed.serial).not.toBe(pair.serial);
    expect(keyMatches(renewed.cert, pair.key).ok).toBe(true);
    expect(renewed.cert.endsWith(fixture.ca.cert)).toBe(true);
    const { issued } = await readIndex((await fixture.open()).paths);
    expect(issued).toMatchObject([{ name: 'gate.example.com', kind: 'server', serial: renewed.serial }]);
    expect(outcomes).toEqual([true]);
  });

  it('of the former CA is renewed from the one that signs now, and shows that one', async () => {
    const keys = { keys: [fixture.ca.key], protect: (pem: string) => pem };
    const both = await prepareRotation(fixture.directory, clock, keys, 10 * DAY_MS);
    await switchSigner(fixture.directory, clock, { ...keys, keys: both });
    clock.advance(70 * DAY_MS);
    renewer.follow([pair]);
    await renewer.look();
    const renewed = pairIn('server.crt');
    const { certificate } = await fixture.open();
    expect(renewed.issuer).toBe('O=promgate, CN=promgate CA test G2');
    expect(renewed.cert.endsWith(certificate.pem)).toBe(true);
    expect(renewed.cert).not.toContain(fixture.ca.cert);
  });

  it('that somebody else has renewed meanwhile is not renewed again', async () => {
    clock.advance(70 * DAY_MS);
    renewer.follow([pair]);
    await renewer.look();
    const once = fixture.text('server.crt');
    await renewer.look();
    expect(fixture.text('server.crt')).toBe(once);
  });

  it('of another CA of that name is never touched', async () => {
    const twin = await createCa({ name: 'test', now: clock.now() });
    fixture.write('ca.crt', twin.cert);
    fixture.write('ca.key', twin.key);
    clock.advance(80 * DAY_MS);
    renewer.follow([pair]);
    await renewer.look();
    expect(fixture.text('server.crt')).toBe(pair.cert);
  });

  it('stays when its renewal fails, which is said once', async () => {
    fixture.write('ca.key', 'damaged');
    clock.advance(80 * DAY_MS);
    renewer.follow([pair]);
    await renewer.look();
    await renewer.look();
    expect(fixture.text('server.crt')).toBe(pair.cert);
    expect(errors).toHaveLength(1);
    expect(outcomes).toEqual([false, false]);
  });
});

describe('the decision', () => {
  const life = { notBefore: 0, notAfter: 90 * DAY_MS };
  it('waits for the last third', () => {
    expect(decideRenewal(life, 1e15, 59 * DAY_MS)).toEqual({ kind: 'wait', until: 60 * DAY_MS });
    expect(decideRenewal(life, 1e15, 60 * DAY_MS)).toEqual({ kind: 'renew', days: 90 });
    expect(decideRenewal(life, 1e15, 500 * DAY_MS)).toEqual({ kind: 'renew', days: 90 });
  });

  it('gains nothing where the CA ends as soon', () => {
    expect(decideRenewal(life, 90 * DAY_MS, 80 * DAY_MS)).toEqual({ kind: 'ends-with-ca' });
    expect(decideRenewal(life, 100 * DAY_MS, 80 * DAY_MS)).toEqual({ kind: 'renew', days: 90 });
  });
});
