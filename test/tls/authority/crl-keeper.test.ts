import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { createCrlKeeper, ownCrls, refreshAt, renewExpired } from '../../../src/tls/authority/crl-keeper.ts';
import type { CrlKeeper } from '../../../src/tls/authority/crl-keeper.ts';
import { readCrls, updateCrl } from '../../../src/tls/authority/crl-file.ts';
import { encryptKey } from '../../../src/tls/authority/keys.ts';
import { prepareRotation } from '../../../src/tls/authority/rotation.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { poll } from '../../support/poll.ts';
import { createAuthorityFixture } from './authority-fixture.ts';
import type { AuthorityFixture } from './authority-fixture.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

let clock: FakeClock;
let fixture: AuthorityFixture;
let keeper: CrlKeeper;
let said: { level: string; message: string }[];
let kept: Map<string, boolean>;
let refreshed: boolean[];

beforeEach(async () => {
  clock = createFakeClock(Math.floor(Date.now() / 1000) * 1000);
  fixture = await createAuthorityFixture(clock);
  said = [];
  kept = new Map();
  refreshed = [];
  const note = (level: string) => (_: object, message: string) => void said.push({ level, message });
  keeper = createCrlKeeper({
    clock,
    log: { info: note('info'), warn: note('warn'), error: note('error') },
    metrics: { crlKept: (file, is) => kept.set(file, is), crlRefreshed: (ok) => refreshed.push(ok) },
  });
  const keys = [fixture.ca.key];
  const revoke = [{ serial: 'AB', date: clock.now(), reason: 'unspecified' as const }];
  await updateCrl(await fixture.open(), clock, { keys, lifetimeMs: 10 * DAY_MS, revoke });
});
afterEach(() => {
  keeper.close();
  fixture.remove();
});

const follow = (): void => {
  keeper.follow([
    { path: fixture.path('ca.crl'), source: 'client_ca' },
    { path: fixture.path('ca.crt'), source: 'client_ca' },
  ]);
};

describe('the list of the own CA', () => {
  it('is renewed at half of its life, for as long as before, with the next number', async () => {
    follow();
    clock.advance(5 * DAY_MS - HOUR_MS);
    await keeper.look();
    expect(await fixture.crl()).toMatchObject({ number: 1n });
    clock.advance(HOUR_MS);
    await keeper.look();
    const crl = await fixture.crl();
    expect(crl).toMatchObject({ number: 2n, revoked: new Set(['AB']) });
    expect((crl.nextUpdate ?? 0) - crl.thisUpdate).toBe(10 * DAY_MS);
    expect(kept).toEqual(new Map([[fixture.path('ca.crl'), true]]));
    expect(refreshed).toEqual([true]);
  });

  it('is looked at after a configuration came to run, and every hour', async () => {
    clock.advance(6 * DAY_MS);
    follow();
    clock.advance(1000);
    await poll('the second list', async () => (await fixture.crl()).number === 2n);
    clock.advance(6 * DAY_MS);
    await poll('the third list', async () => (await fixture.crl()).number === 3n);
  });

  it('that has expired is renewed before a gate serves, one that is good is left alone', async () => {
    const files = [{ path: fixture.path('ca.crl'), source: 'client_ca' as const }];
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const renew = async () =>
      renewExpired(
        { files, tls: { trust: { crls: [await fixture.crl()] } } as unknown as Config['tls'] },
        { clock, log },
      );
    clock.advance(9 * DAY_MS);
    expect(await renew()).toBe(false);
    clock.advance(2 * DAY_MS);
    expect(await renew()).toBe(true);
    expect(await fixture.crl()).toMatchObject({ number: 2n, revoked: new Set(['AB']) });
    expect((await fixture.crl()).nextUpdate).toBeGreaterThan(clock.now());
  });

  it('is renewed also when it has expired while the gate was down', async () => {
    clock.advance(60 * DAY_MS);
    follow();
    await keeper.look();
    expect((await fixture.crl()).nextUpdate).toBeGreaterThan(clock.now());
  });

  it('is renewed together with that of the other CA during a rotation', async () => {
    const keys = { keys: [fixture.ca.key], protect: (pem: string) => pem };
    await prepareRotation(fixture.directory, clock, keys, 10 * DAY_MS);
    clock.advance(5 * DAY_MS);
    follow();
    await keeper.look();
    const crls = await readCrls(await fixture.open());
    expect(crls.map(({ number, nextUpdate }) => [number, (nextUpdate ?? 0) > clock.now() + 9 * DAY_MS])).toEqual([
      [3n, true],
      [3n, true],
    ]);
    expect(crls.map(({ revoked }) => [...revoked])).toEqual([['AB'], []]);
  });

  it('is left alone and warned of once when the key has a passphrase', async () => {
    fixture.write('ca.key', encryptKey(fixture.ca.key, 'a long passphrase'));
    clock.advance(6 * DAY_MS);
    follow();
    await keeper.look();
    await keeper.look();
    expect(await fixture.crl()).toMatchObject({ number: 1n });
    expect(said).toEqual([
      {
        level: 'warn',
        message: 'the gate cannot renew this revocation list: the key of its CA has a passphrase',
      },
    ]);
    expect([...kept.values()]).toEqual([false]);
  });

  it('is left alone when the key is elsewhere, or the list is of another CA', async () => {
    rmSync(fixture.path('ca.key'));
    follow();
    await keeper.look();
    expect(said).toMatchObject([{ level: 'warn' }]);
    rmSync(fixture.path('ca.crt'));
    await keeper.look();
    expect(await keeper.look()).toBeUndefined();
    expect([...kept.values()]).toEqual([false]);
  });

  it('stays when its renewal fails, which is said once and tried again', async () => {
    follow();
    const good = fixture.text('ca-index.json');
    fixture.write('ca-index.json', 'damaged');
    clock.advance(6 * DAY_MS);
    await keeper.look();
    await keeper.look();
    expect(await fixture.crl()).toMatchObject({ number: 1n });
    expect(said.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(refreshed).not.toContain(true);
    fixture.write('ca-index.json', good);
    await keeper.look();
    expect(await fixture.crl()).toMatchObject({ number: 2n });
  });
});

describe('what is followed', () => {
  it('are the lists that are called as the own CA calls them', () => {
    expect(
      ownCrls([
        { path: '/a/ca.crl', source: 'client_ca' },
        { path: '/a/other.crl', source: 'client_ca' },
        { path: '/a/ca.crl', source: 'client_ca' },
        { path: '/b/ca.crl', source: 'config' },
      ]),
    ).toEqual(['/a/ca.crl']);
  });

  it('a list without an end is never due', () => {
    expect(refreshAt({ thisUpdate: 0, nextUpdate: null })).toBeNull();
    expect(refreshAt({ thisUpdate: 100, nextUpdate: 300 })).toBe(200);
  });
});
