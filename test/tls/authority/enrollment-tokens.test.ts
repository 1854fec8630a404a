import { statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authorityPaths } from '../../../src/tls/authority/authority-directory.ts';
import type { AuthorityPaths } from '../../../src/tls/authority/authority-directory.ts';
import {
  addToken,
  cancelToken,
  createToken,
  findToken,
  readTokens,
  takeToken,
  tokensPath,
} from '../../../src/tls/authority/enrollment-tokens.ts';
import { PromgateError } from '../../../src/lib/errors.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { createAuthorityFixture } from './authority-fixture.ts';
import type { AuthorityFixture } from './authority-fixture.ts';

const MINUTE_MS = 60_000;

let clock: FakeClock;
let fixture: AuthorityFixture;
let paths: AuthorityPaths;

beforeEach(async () => {
  clock = createFakeClock(Math.floor(Date.now() / 1000) * 1000);
  fixture = await createAuthorityFixture(clock);
  paths = authorityPaths(fixture.directory);
});
afterEach(() => {
  fixture.remove();
});

const sans = [{ type: 'uri' as const, value: 'spiffe://example.com/prometheus' }];
const make = (name: string, minutes = 15) => createToken({ name, sans, days: 30, minutes, now: clock.now() });
async function add(name: string, minutes = 15): Promise<string> {
  const { text, token } = make(name, minutes);
  await addToken(paths, clock, token);
  return text;
}

describe('a token', () => {
  it('has 128 random bits, and lives for an hour at most', () => {
    const texts = new Set(Array.from({ length: 100 }, () => make('a').text));
    expect(texts.size).toBe(100);
    for (const text of texts) expect(text).toMatch(/^[0-9a-f]{32}$/);
    const { token } = make('a', 600);
    expect(token.expiresAt - token.createdAt).toBe(60 * MINUTE_MS);
  });

  it('comes back as it was bound, once', async () => {
    const text = await add('central');
    expect(await takeToken(paths, clock, 'f'.repeat(32))).toBeNull();
    expect(await takeToken(paths, clock, text.toUpperCase())).toBeNull();
    expect(await takeToken(paths, clock, text)).toMatchObject({
      name: 'central',
      sans,
      days: 30,
      purpose: 'clientAuth',
    });
    expect(await takeToken(paths, clock, text)).toBeNull();
    expect(await readTokens(paths)).toEqual([]);
  });

  it('is had by one of several processes that take it at once', async () => {
    const text = await add('central');
    // The clock of the lock waits on real files: it is moved on until everybody has had a turn.
    const all = Promise.all(Array.from({ length: 5 }, () => takeToken(paths, clock, text)));
    const ticking = setInterval(() => {
      clock.advance(50);
    }, 5);
    const taken = await all.finally(() => {
      clearInterval(ticking);
    });
    expect(taken.filter((token) => token !== null)).toHaveLength(1);
  });

  it('that is not used in time is left out of the file by the next writing', async () => {
    const old = await add('old', 1);
    clock.advance(MINUTE_MS);
    expect(await takeToken(paths, clock, old)).toBeNull();
    await add('new');
    expect((await readTokens(paths)).map(({ name }) => name)).toEqual(['new']);
  });

  it('replaces an older one of its name', async () => {
    const [first, other, second] = [await add('central'), await add('other'), await add('central')];
    const tokens = await readTokens(paths);
    expect(findToken(tokens, first, clock.now())).toBeNull();
    expect(findToken(tokens, other, clock.now())).toMatchObject({ name: 'other' });
    expect(findToken(tokens, second, clock.now())).toMatchObject({ name: 'central' });
  });

  it('is cancelled by its name', async () => {
    const text = await add('central');
    expect(await cancelToken(paths, clock, 'nobody')).toBe(false);
    expect(await cancelToken(paths, clock, 'central')).toBe(true);
    expect(await takeToken(paths, clock, text)).toBeNull();
  });
});

describe('the file', () => {
  it('is private, and holds the hash alone', async () => {
    const text = await add('central');
    expect(statSync(tokensPath(paths)).mode & 0o777).toBe(0o600);
    expect(fixture.text('enrollment-tokens.json')).not.toContain(text);
  });

  it('holds 64 tokens and no more', async () => {
    for (let count = 0; count < 64; count++) await add(`name-${String(count)}`);
    await expect(add('another')).rejects.toThrow('64 tokens are pending already');
    await add('name-0');
  });

  it.each([
    ['cut off', (text: string) => text.slice(0, 40)],
    ['of another version', (text: string) => text.replace('"version": 1', '"version": 2')],
    ['with a key that nobody knows', (text: string) => text.replace('"days"', '"years"')],
    ['with another purpose', (text: string) => text.replace('clientAuth', 'codeSigning')],
    ['with a date that is none', (text: string) => text.replace(/"created_at": "[^"]*"/, '"created_at": "soon"')],
  ])('%s is refused as a whole', async (_how, change) => {
    const text = await add('central');
    fixture.write('enrollment-tokens.json', change(fixture.text('enrollment-tokens.json')));
    await expect(readTokens(paths)).rejects.toThrow(PromgateError);
    await expect(takeToken(paths, clock, text)).rejects.toThrow('it is damaged');
  });

  it('does not make a token last longer than it may', async () => {
    const text = await add('central');
    const longer = fixture.text('enrollment-tokens.json').replace(/"expires_at": "20\d\d/, '"expires_at": "2999');
    fixture.write('enrollment-tokens.json', longer);
    expect(await takeToken(paths, clock, text)).toBeNull();
  });
});
