import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeyPair } from '../../../src/config/config.ts';
import { PromgateError } from '../../../src/lib/errors.ts';
import { AcmeFailure } from '../../../src/tls/acme/contract.ts';
import type {
  AcmeManager,
  AcmeSettings,
  Issuer,
  OrderRequest,
  Origin,
  RenewalInfo,
} from '../../../src/tls/acme/contract.ts';
import { certificateId } from '../../../src/tls/acme/certificate-id.ts';
import { createAcmeManager } from '../../../src/tls/acme/renewal.ts';
import { EMPTY_STATE } from '../../../src/tls/acme/state.ts';
import { recordingLog } from '../../observe/recording-log.ts';
import {
  createMint,
  createSteppingClock,
  DAY,
  directory,
  HOUR,
  memoryStore,
  MINUTE,
  pairOf,
  settingsOf,
  settled,
  START,
  WANTED,
} from '../../support/acme-renewals.ts';
import type { Issued, MemoryStore, SteppingClock } from '../../support/acme-renewals.ts';

const KEY = WANTED.names.join(' ');
let mint: Awaited<ReturnType<typeof createMint>>;
let clock: SteppingClock;
let store: MemoryStore;
let log: ReturnType<typeof recordingLog>;
let orders: OrderRequest[];
let changes: (readonly KeyPair[])[];
let metrics: unknown[][];
let answerOrder: (request: OrderRequest) => Promise<Issued>;
let answerInfo: () => Promise<RenewalInfo | null>;
let managers: AcmeManager[];
let former: KeyPair[];

beforeAll(async () => {
  mint = await createMint();
});

beforeEach(() => {
  clock = createSteppingClock();
  store = memoryStore();
  log = recordingLog();
  [orders, changes, metrics, managers, former] = [[], [], [], [], []];
  answerOrder = ({ wanted }) => issue(90 * DAY, wanted.names);
  answerInfo = () => Promise.resolve(null);
});

afterEach(async () => {
  await Promise.all(managers.map((manager) => manager.close()));
});

function issue(lifetime: number, names = WANTED.names): Promise<Issued> {
  return mint({ names, notBefore: clock.trueNow(), notAfter: clock.trueNow() + lifetime });
}

function make(some: Partial<AcmeSettings> = {}, itsStore = store): AcmeManager {
  const issuer: Issuer = {
    order(request) {
      orders.push(request);
      return answerOrder(request);
    },
    renewalInfo: () => answerInfo(),
  };
  const record =
    (what: string) =>
    (...values: unknown[]): void => {
      metrics.push([what, ...values]);
    };
  const manager = createAcmeManager({
    settings: settingsOf(some),
    store: itsStore,
    issuer,
    clock,
    log,
    metrics: {
      attempt: record('attempt'),
      nextRenewal: record('nextRenewal'),
      ariWindow: record('ariWindow'),
      selfSigned: record('selfSigned'),
    },
    random: () => 0.5,
    onChange: (pairs) => changes.push(pairs),
    predecessors: () => former,
  });
  managers.push(manager);
  return manager;
}

const asleep = (): Promise<void> => settled(() => clock.untilTimer() !== null);

/** Moves the clock in steps of the manager's own timer. */
async function pass(ms: number): Promise<void> {
  const end = clock.trueNow() + ms;
  await asleep();
  while (clock.trueNow() < end) {
    clock.advance(Math.min(clock.untilTimer() ?? ms, end - clock.trueNow()));
    await asleep();
  }
}

const fail = (failure: AcmeFailure) => () => Promise.reject(failure);
const attempts = () => metrics.filter(([what]) => what === 'attempt').map(([, , , outcome]) => outcome);

describe('before the first certificate', () => {
  it('a self-signed one is served, with a log line and a metric', async () => {
    const manager = make();
    await manager.open();
    const [pair] = manager.pairs();
    expect(pair).toMatchObject({ name: 'self-signed:gate.example.com', names: ['gate.example.com'] });
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { certificate: 'gate.example.com' } }]);
    expect(metrics).toContainEqual(['selfSigned', 'gate.example.com', true]);
    expect(orders).toEqual([]);
  });

  it('then the real one, at once', async () => {
    const manager = make();
    await manager.open();
    manager.start();
    await asleep();
    expect(orders).toHaveLength(1);
    expect(orders[0]).toMatchObject({ replaces: null, directory: { name: 'first' } });
    expect(changes.map((pairs) => pairs.map(({ name }) => name))).toEqual([['gate.example.com']]);
    expect(manager.pairs()).toEqual(changes[0]);
    expect(metrics).toContainEqual(['selfSigned', 'gate.example.com', false]);
    expect(attempts()).toEqual(['issued']);
    expect(store.states.get(KEY)).toMatchObject({ issuedBy: directory('first').url, failures: [] });
  });

  it('is renewed itself while the CA is down for months', async () => {
    answerOrder = fail(new AcmeFailure('unreachable', 'no route to host'));
    const manager = make();
    manager.start();
    await pass(100 * DAY);
    expect(manager.pairs()[0]?.notAfter).toBeGreaterThan(clock.now());
    expect(changes.length).toBe(2);
  });
});

describe('before the first certificate, where there was one of another kind', () => {
  const serials = (pairs: readonly KeyPair[]): string[] => pairs.map(({ serial }) => serial);
  const old = async (names: readonly string[], lifetime = 30 * DAY, name = 'certs/server.crt'): Promise<KeyPair> =>
    pairOf(await issue(lifetime, names), name);

  it('that one is served until the CA has issued, whatever the CA does, and no alarm is given', async () => {
    answerOrder = fail(new AcmeFailure('unreachable', 'no route to host'));
    former = [await old(WANTED.names)];
    const manager = make();
    await manager.open();
    expect(serials(manager.pairs())).toEqual(serials(former));
    expect(metrics).not.toContainEqual(['selfSigned', 'gate.example.com', true]);
    manager.start();
    await pass(10 * DAY);
    expect(serials(manager.pairs())).toEqual(serials(former));
    const told = log.lines.filter(({ message }) => message.includes('the one from before is served'));
    expect(told).toMatchObject([{ fields: { served: 'certs/server.crt' } }]);

    answerOrder = ({ wanted }) => issue(90 * DAY, wanted.names);
    await pass(2 * DAY);
    expect(manager.pairs()).toMatchObject([{ name: 'gate.example.com' }]);
    expect(serials(manager.pairs())).not.toEqual(serials(former));
  });

  it('a self-signed one takes its place when it ends, with the metric', async () => {
    answerOrder = fail(new AcmeFailure('unreachable', 'no route to host'));
    former = [await old(WANTED.names, 3 * DAY)];
    const manager = make();
    manager.start();
    await pass(4 * DAY);
    expect(manager.pairs()).toMatchObject([{ name: 'self-signed:gate.example.com' }]);
    expect(metrics).toContainEqual(['selfSigned', 'gate.example.com', true]);
    expect(changes.at(-1)).toMatchObject([{ name: 'self-signed:gate.example.com' }]);
  });

  it.each<{ what: string; wanted: string[]; names: string[][]; served: number[] }>([
    { what: 'a wildcard', wanted: ['a.example.com'], names: [['*.example.com']], served: [0] },
    { what: 'one of several names', wanted: ['a.example.com', 'b.org'], names: [['b.org']], served: [0] },
    { what: 'one each', wanted: ['a.org', 'b.org'], names: [['a.org'], ['c.org'], ['b.org']], served: [0, 2] },
    { what: 'the one with more', wanted: ['a.org', 'b.org'], names: [['a.org'], ['A.org', 'b.org']], served: [1] },
    { what: 'an upper-case name', wanted: ['Gate.Example.com'], names: [['gate.example.com']], served: [0] },
  ])('is taken: $what', async ({ wanted, names, served }) => {
    former = await Promise.all(names.map((some) => old(some)));
    const manager = make({ certificates: [{ names: wanted, keyType: 'p256', profile: null }] });
    await manager.open();
    expect(serials(manager.pairs())).toEqual(served.map((index) => former[index]?.serial));
  });

  it.each<{ what: string; names: string[]; lifetime?: number; name?: string }>([
    { what: 'other names', names: ['other.example.com'] },
    { what: 'a wildcard of another depth', names: ['*.com'] },
    { what: 'one that has ended', names: ['gate.example.com'], lifetime: -1000 },
    { what: 'a self-signed one', names: ['gate.example.com'], name: 'self-signed:gate.example.com' },
  ])('is not taken: $what', async ({ names, lifetime, name }) => {
    former = [
      pairOf(await mint({ names, notBefore: clock.now() - DAY, notAfter: clock.now() + (lifetime ?? DAY) }), name),
    ];
    const manager = make();
    await manager.open();
    expect(serials(manager.pairs())).not.toEqual(serials(former));
    expect(manager.pairs()).toMatchObject([{ name: 'self-signed:gate.example.com' }]);
  });

  it('serves one certificate once, though two take its place', async () => {
    former = [await old(['a.org', 'b.org'])];
    const manager = make({
      certificates: ['a.org', 'b.org'].map((name) => ({ names: [name], keyType: 'p256', profile: null })),
    });
    await manager.open();
    expect(serials(manager.pairs())).toEqual(serials(former));
  });
});

describe('a certificate that is kept', () => {
  const keep = async (lifetime: number, origin: Origin | null = null): Promise<KeyPair> => {
    const pair = pairOf(await issue(lifetime));
    store.states.set(KEY, { ...EMPTY_STATE, pair, issuedBy: directory('first').url, origin });
    return pair;
  };

  it('is served after a restart, and not ordered again', async () => {
    const pair = await keep(90 * DAY);
    const manager = make();
    await manager.open();
    expect(manager.pairs()).toEqual([pair]);
    manager.start();
    await pass(DAY);
    expect(orders).toEqual([]);
    expect(log.lines.filter(({ level }) => level !== 'debug')).toEqual([]);
  });

  it('is served until its end and beyond when no other comes, each failure logged once', async () => {
    const pair = await keep(30 * DAY);
    answerOrder = fail(
      new AcmeFailure('challenge', 'no \u001b[31mTXT record\nfound', { link: 'https://ca.example/why' }),
    );
    const manager = make();
    manager.start();
    await pass(35 * DAY);
    expect(manager.pairs()).toEqual([pair]);
    const lines = log.lines.filter(({ message }) => message === 'no certificate was issued');
    expect(lines).toHaveLength(orders.length);
    expect(lines[0]).toMatchObject({
      level: 'warn',
      fields: { kind: 'challenge', detail: 'no \\u001b[31mTXT record\\u000afound', link: 'https://ca.example/why' },
    });
    expect(lines.at(-1)?.level).toBe('error');
  });

  it('names the certificate that it replaces to the CA that issued it only', async () => {
    const pair = await keep(90 * DAY);
    answerOrder = ({ directory: { name }, wanted }) =>
      name === 'first' ? Promise.reject(new AcmeFailure('refused', 'no')) : issue(90 * DAY, wanted.names);
    const manager = make({ directories: [directory('first'), directory('second')] });
    manager.start();
    await pass(61 * DAY);
    expect(orders.map(({ directory: { name }, replaces }) => [name, replaces])).toEqual([
      ['first', certificateId(pair.cert)],
      ['second', null],
    ]);
    expect(store.states.get(KEY)?.issuedBy).toBe(directory('second').url);
  });

  it('is ordered anew when other names are wanted, and served meanwhile', async () => {
    const pair = await keep(90 * DAY);
    const wanted = { ...WANTED, names: [...WANTED.names, 'www.example.com'] };
    store.states.set(wanted.names.join(' '), store.states.get(KEY)!);
    answerOrder = fail(new AcmeFailure('unreachable', 'no'));
    const manager = make({ certificates: [wanted] });
    manager.start();
    await asleep();
    expect(orders).toHaveLength(1);
    expect(manager.pairs()).toEqual([pair]);
    answerOrder = () => issue(90 * DAY, wanted.names);
    await pass(2 * MINUTE);
    expect(manager.pairs()[0]?.names).toEqual(wanted.names);
  });

  it('is renewed when the CA says so, at a moment that a restart does not draw again', async () => {
    await keep(90 * DAY);
    answerInfo = () =>
      Promise.resolve({
        start: START + 10 * DAY,
        end: START + 12 * DAY,
        explanationUrl: 'https://ca.example/incident',
        retryAfterMs: 6 * HOUR,
      });
    make().start();
    await pass(DAY);
    expect(metrics).toContainEqual(['ariWindow', 'gate.example.com', START / 1000 + 864_000, START / 1000 + 1_036_800]);
    expect(log.lines).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ link: 'https://ca.example/incident' }) }),
    );
    expect(store.states.get(KEY)?.ari?.chosen).toBe(START + 11 * DAY);
    await managers[0]?.close();
    make().start();
    await pass(10 * DAY - MINUTE);
    expect(orders).toHaveLength(0);
    await pass(2 * MINUTE);
    expect(orders).toHaveLength(1);
    const because = "the CA's renewal window (ARI) has come";
    expect(log.lines).toContainEqual(
      expect.objectContaining({ message: 'certificate renewed', fields: expect.objectContaining({ because }) }),
    );
    expect(store.states.get(KEY)?.origin).toMatchObject({ because, isRenewal: true, profile: null });
  });

  it.each([
    ['another type of key is wanted', { keyType: 'p384' }],
    ['another profile is wanted', { profile: 'shortlived' }],
    ['other names are wanted', { names: ['gate.example.com', 'www.example.com'] }],
  ] as const)('is ordered anew at once because %s, and served until the new one has come', async (because, change) => {
    const pair = await keep(90 * DAY, { at: START, profile: null, because: 'it is the first', isRenewal: false });
    const wanted = { ...WANTED, ...change };
    store.states.set(wanted.names.join(' '), store.states.get(KEY)!);
    answerOrder = fail(new AcmeFailure('refused', 'no'));
    const manager = make({ certificates: [wanted] });
    await manager.open();
    expect(manager.status()).toMatchObject([{ unlike: because, plan: { kind: 'order', why: because } }]);
    manager.start();
    await pass(DAY);
    // The limits of the CA hold as always.
    expect(orders.length).toBeGreaterThan(1);
    expect(orders.length).toBeLessThan(15);
    expect(manager.pairs()).toEqual([pair]);
  });

  it('is ordered once for another profile, and not at all where nobody wrote down the old one', async () => {
    await keep(90 * DAY, { at: START, profile: null, because: 'it is the first', isRenewal: false });
    const wanted = { ...WANTED, profile: 'shortlived' };
    make({ certificates: [wanted] }).start();
    await pass(3 * HOUR);
    expect(orders).toHaveLength(1);
    expect(store.states.get(KEY)?.origin).toMatchObject({ profile: 'shortlived', isRenewal: true });
    await managers[0]?.close();
    await keep(90 * DAY);
    make({ certificates: [{ ...WANTED, profile: 'tlsserver' }] }).start();
    await pass(3 * HOUR);
    expect(orders).toHaveLength(1);
  });

  it('stays when the disk forgets it, and is written again', async () => {
    const pair = await keep(90 * DAY);
    const manager = make();
    manager.start();
    await asleep();
    store.states.clear();
    await pass(3 * HOUR);
    expect(manager.pairs()).toEqual([pair]);
    expect(orders).toEqual([]);
    expect(store.states.get(KEY)?.pair).toEqual(pair);
  });
});

describe('after a failure', () => {
  it('the staging directory is tried, then the real one', async () => {
    let isBroken = true;
    answerOrder = ({ wanted }) =>
      isBroken ? Promise.reject(new AcmeFailure('challenge', 'no')) : issue(90 * DAY, wanted.names);
    const manager = make({ staging: directory('staging') });
    manager.start();
    await pass(2 * MINUTE);
    isBroken = false;
    await pass(4 * MINUTE);
    expect(orders.map(({ directory: { name } }) => name)).toEqual(['first', 'staging', 'staging', 'first']);
    expect(attempts()).toEqual(['challenge', 'challenge', 'staged', 'issued']);
    expect(manager.pairs()[0]?.name).toBe('gate.example.com');
    expect(changes.at(-1)?.[0]?.name).toBe('gate.example.com');
  });

  it('Retry-After is obeyed, also after a restart', async () => {
    answerOrder = fail(new AcmeFailure('rate-limited', 'too many certificates', { retryAfterMs: 30 * HOUR }));
    make().start();
    await pass(12 * HOUR);
    await managers[0]?.close();
    make().start();
    await pass(17 * HOUR);
    expect(orders).toHaveLength(1);
    await pass(2 * HOUR);
    expect(orders).toHaveLength(2);
  });

  it('a certificate that was not ordered, or does not fit its key, is none', async () => {
    const answers = [
      () => issue(90 * DAY, ['other.example.com']),
      async () => ({ ...(await issue(90 * DAY)), cert: 'no certificate' }),
      async () => ({
        ...(await issue(90 * DAY)),
        key: (await (await createMint())({ notBefore: 0, notAfter: 1 })).key,
      }),
    ];
    answerOrder = ({ wanted }) => (answers.shift() ?? (() => issue(90 * DAY, wanted.names)))();
    const manager = make();
    manager.start();
    await pass(HOUR);
    expect(attempts()).toEqual(['garbage', 'garbage', 'garbage', 'issued']);
    expect(manager.pairs()[0]?.name).toBe('gate.example.com');
  });

  it('something of ours that throws is one failed attempt, not the end', async () => {
    answerOrder = () => Promise.reject(new Error('a hook is missing'));
    make().start();
    await pass(10 * MINUTE);
    expect(attempts().length).toBeGreaterThan(2);
    expect(clock.untilTimer()).not.toBeNull();
  });

  it('one certificate does not hold up the others', async () => {
    const other = { ...WANTED, names: ['other.example.com'] };
    answerOrder = ({ wanted }) =>
      wanted === WANTED ? Promise.reject(new AcmeFailure('challenge', 'no')) : issue(90 * DAY, wanted.names);
    const manager = make({ certificates: [WANTED, other] });
    manager.start();
    await asleep();
    expect(manager.pairs().map(({ name }) => name)).toEqual(['self-signed:gate.example.com', 'other.example.com']);
  });
});

describe('a state directory that cannot be written', () => {
  const full = new PromgateError('FILE_WRITE', 'cannot write /x: ENOSPC', { hint: 'make room' });

  it('keeps the gate from ordering what it could not keep, and says so once', async () => {
    store.broken = full;
    const manager = make();
    manager.start();
    await pass(2 * HOUR);
    expect(orders).toEqual([]);
    expect(manager.pairs()).toHaveLength(1);
    const lines = log.lines.filter(({ level }) => level === 'error');
    expect(lines).toMatchObject([{ fields: { error: 'cannot write /x: ENOSPC', hint: 'make room' } }]);
    store.broken = null;
    await pass(HOUR);
    expect(orders).toHaveLength(1);
  });

  it('does not lose a certificate that came meanwhile', async () => {
    answerOrder = async ({ wanted }) => {
      store.broken = full;
      return issue(90 * DAY, wanted.names);
    };
    const manager = make();
    manager.start();
    await pass(5 * HOUR);
    const [pair] = manager.pairs();
    expect(pair?.name).toBe('gate.example.com');
    expect(orders).toHaveLength(1);
    expect(store.states.get(KEY)?.pair).toBeNull();
    store.broken = null;
    await pass(2 * HOUR);
    expect(store.states.get(KEY)?.pair).toEqual(pair);
    expect(orders).toHaveLength(1);
  });
});

describe('two processes with one directory', () => {
  it('the second takes what the first obtained', async () => {
    const [one, two] = [make(), make({}, memoryStore(store.states))];
    one.start();
    await settled(() => (store.states.get(KEY)?.pair ?? null) !== null);
    two.start();
    await pass(2 * HOUR);
    expect(orders).toHaveLength(1);
    expect(two.pairs()).toEqual(one.pairs());
  });

  it('what the other obtained while one waited for the lock is taken', async () => {
    const pair = pairOf(await issue(90 * DAY));
    store.exclusively = (_wanted, _signal, work) => {
      store.states.set(KEY, { ...EMPTY_STATE, pair, issuedBy: directory('first').url });
      return work();
    };
    const manager = make();
    manager.start();
    await asleep();
    expect(orders).toEqual([]);
    expect(manager.pairs()).toEqual([pair]);
  });

  it('a process that finds the other at work looks again soon', async () => {
    const busy = memoryStore(store.states);
    let isBusy = true;
    busy.exclusively = (_wanted, _signal, work) => (isBusy ? Promise.resolve(null) : work());
    make({}, busy).start();
    await pass(5 * MINUTE);
    expect(orders).toHaveLength(0);
    isBusy = false;
    await pass(2 * MINUTE);
    expect(orders).toHaveLength(1);
  });
});

describe('renew', () => {
  it('orders at once, whatever the plan says', async () => {
    const manager = make();
    manager.start();
    await pass(DAY);
    const before = manager.pairs()[0]?.serial;
    await manager.renew('gate.example.com');
    expect(orders).toHaveLength(2);
    expect(manager.pairs()[0]?.serial).not.toBe(before);
    expect(changes).toHaveLength(3);
  });

  it('rejects with the failure, and keeps what there is', async () => {
    const manager = make();
    manager.start();
    await pass(DAY);
    const before = manager.pairs();
    answerOrder = fail(new AcmeFailure('refused', 'CAA forbids it'));
    await expect(manager.renew(null)).rejects.toMatchObject({ kind: 'refused', message: 'CAA forbids it' });
    expect(manager.pairs()).toEqual(before);
  });

  it('refuses a name that is not configured', async () => {
    await expect(make().renew('nobody')).rejects.toMatchObject({ code: 'USAGE', hint: 'there is "gate.example.com"' });
  });
});

describe('close', () => {
  it('ends a running order, which counts as an attempt', async () => {
    answerOrder = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(new AcmeFailure('timeout', 'ended'));
        });
      });
    const manager = make();
    manager.start();
    await settled(() => orders.length === 1);
    await manager.close();
    expect(store.states.get(KEY)?.failures).toMatchObject([{ kind: 'interrupted' }]);
    expect(clock.untilTimer()).toBeNull();
    expect(attempts()).toEqual([]);
  });

  it('ends a question that is not answered', async () => {
    let isAsked = false;
    answerInfo = () => {
      isAsked = true;
      return new Promise(() => undefined);
    };
    const manager = make();
    manager.start();
    await settled(() => isAsked);
    await manager.close();
    expect(clock.untilTimer()).toBeNull();
  });

  it('is final', async () => {
    const manager = make();
    await manager.close();
    manager.start();
    expect(clock.untilTimer()).toBeNull();
    expect(orders).toEqual([]);
  });
});

it('sleeps an hour at most, and plans anew when the clock was set meanwhile', async () => {
  const manager = make();
  manager.start();
  await asleep();
  expect(clock.untilTimer()).toBeLessThanOrEqual(HOUR);
  clock.jump(70 * DAY);
  await pass(HOUR);
  expect(orders).toHaveLength(2);
});

it('status tells what is kept and what is planned', async () => {
  const manager = make();
  manager.start();
  await asleep();
  const [status] = manager.status();
  expect(status).toMatchObject({ wanted: WANTED, state: { issuedBy: directory('first').url }, plan: { kind: 'wait' } });
});
