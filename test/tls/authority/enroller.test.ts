import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authorityPaths } from '../../../src/tls/authority/authority-directory.ts';
import { createEnroller } from '../../../src/tls/authority/enroller.ts';
import type { Enroller } from '../../../src/tls/authority/enroller.ts';
import { addToken, cancelToken, createToken, tokensPath } from '../../../src/tls/authority/enrollment-tokens.ts';
import { generateKey } from '../../../src/tls/authority/keys.ts';
import { createSigningRequest } from '../../../src/tls/authority/new-request.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { poll } from '../../support/poll.ts';
import { createAuthorityFixture } from './authority-fixture.ts';
import type { AuthorityFixture } from './authority-fixture.ts';

const MINUTE_MS = 60_000;

let clock: FakeClock;
let fixture: AuthorityFixture;
let enroller: Enroller;
let changes: boolean[];
let opened: boolean[];
let issued: string[];
let said: { level: string; message: string }[];

beforeEach(async () => {
  clock = createFakeClock(Math.floor(Date.now() / 1000) * 1000);
  fixture = await createAuthorityFixture(clock);
  [changes, opened, issued, said] = [[], [], [], []];
  const note = (level: string) => (_: object, message: string) => void said.push({ level, message });
  enroller = createEnroller({
    clock,
    log: { info: note('info'), warn: note('warn'), error: note('error') },
    metrics: { enrollmentOpen: (open) => opened.push(open), certificateIssued: (by) => issued.push(by) },
    onChange: () => changes.push(enroller.isOpen()),
  });
});
afterEach(() => {
  enroller.close();
  fixture.remove();
});

const paths = () => authorityPaths(fixture.directory);
const follow = () => {
  enroller.follow({ directory: fixture.directory, renew: false, renewServers: false });
};
async function add(name: string, minutes = 15): Promise<string> {
  const { text, token } = createToken({ name, sans: [], days: 30, minutes, now: clock.now() });
  await addToken(paths(), clock, token);
  return text;
}
const asking = async (): Promise<{ address: string; request: string }> => {
  return { address: '192.0.2.1', request: await createSigningRequest(generateKey(), 'x') };
};

describe('enrollment', () => {
  it('opens with a token and closes with its use, and whoever must know is told once', async () => {
    follow();
    await enroller.look();
    expect([enroller.isOpen(), changes]).toEqual([false, []]);
    const token = await add('central');
    clock.advance(1000);
    await poll('it has opened', () => enroller.isOpen());
    expect(enroller.knows(token)).toBe(true);
    expect(enroller.knows(token.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')))).toBe(false);
    expect(await enroller.enroll(token, await asking())).toMatchObject({
      kind: 'issued',
      certificate: { name: 'central', kind: 'client' },
    });
    await poll('it has closed', () => changes.length === 2);
    expect(changes).toEqual([true, false]);
    expect(opened).toEqual([false, true, false]);
    expect(issued).toEqual(['token']);
    expect(await enroller.enroll(token, await asking())).toMatchObject({ reason: 'credentials_wrong' });
  });

  it('closes when the time of the last token is over, without anybody touching the file', async () => {
    follow();
    await add('central', 2);
    await enroller.look();
    clock.advance(2 * MINUTE_MS - 1);
    expect(enroller.isOpen()).toBe(true);
    clock.advance(1);
    expect(enroller.isOpen()).toBe(false);
    await enroller.look();
    expect(changes).toEqual([true, false]);
  });

  it('closes when the token is cancelled, the file removed, or the configuration changed', async () => {
    follow();
    await add('central');
    await enroller.look();
    await cancelToken(paths(), clock, 'central');
    await enroller.look();
    await add('central');
    await enroller.look();
    rmSync(tokensPath(paths()));
    await enroller.look();
    await add('central');
    await enroller.look();
    enroller.follow(null);
    await enroller.look();
    expect(changes).toEqual([true, false, true, false, true, false]);
  });

  it('is closed where nobody follows a directory', async () => {
    const token = await add('central');
    await enroller.look();
    expect([enroller.isOpen(), enroller.knows(token)]).toEqual([false, false]);
    expect(await enroller.enroll(token, await asking())).toMatchObject({ reason: 'enrollment_failed' });
  });

  it('says once that it cannot read the tokens, and opens again when it can', async () => {
    follow();
    await add('central');
    await enroller.look();
    const good = fixture.text('enrollment-tokens.json');
    fixture.write('enrollment-tokens.json', 'damaged');
    await enroller.look();
    await enroller.look();
    expect(enroller.isOpen()).toBe(false);
    expect(said.filter(({ level }) => level === 'error')).toHaveLength(1);
    fixture.write('enrollment-tokens.json', good);
    await enroller.look();
    expect(enroller.isOpen()).toBe(true);
  });

  it('has a bound on those who wait for a signature', async () => {
    follow();
    const request = await asking();
    const outcomes = await Promise.all(Array.from({ length: 40 }, () => enroller.enroll('f'.repeat(32), request)));
    const reasons = outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.reason : 'issued'));
    expect(reasons.filter((reason) => reason === 'rate_limited')).toHaveLength(8);
    expect(reasons.filter((reason) => reason === 'credentials_wrong')).toHaveLength(32);
  });
});
