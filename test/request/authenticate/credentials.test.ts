import { describe, expect, test } from 'vitest';
import { changedUsers, createCredentialSet } from '../../../src/request/authenticate/credentials.ts';
import { createKeyedDigest } from '../../../src/request/authenticate/keyed-digest.ts';
import { usersOf } from './fixtures.ts';

const digest = createKeyedDigest(Buffer.alloc(32, 7));
const USERS = usersOf({ prom: ['a', 'b'], grafana: ['c'], backup: ['d', 'e', 'f'] });

describe('the generation', () => {
  const generation = (users: Parameters<typeof usersOf>[0]) => createCredentialSet(usersOf(users), digest).generation;

  test('is the same for the same users and lines', () => {
    expect(generation({ prom: ['a'], graf: ['b'] })).toBe(generation({ graf: ['b'], prom: ['a'] }));
  });

  test('changes with every line', () => {
    const all = [
      generation({}),
      generation({ prom: ['a'] }),
      generation({ prom: ['b'] }),
      generation({ prom: ['a', 'b'] }),
      generation({ prom: ['a'], graf: ['b'] }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('who is checked', () => {
  const set = createCredentialSet(USERS, digest);

  test('a configured user, with all of its lines', () => {
    expect(set.subjectOf('backup')).toEqual({ isKnown: true, costsLike: 'backup', lines: USERS.get('backup') });
  });

  test('a stranger costs what one real user costs, the same each time', () => {
    const first = set.subjectOf('stranger');
    expect(first.isKnown).toBe(false);
    expect(first.lines).toBe(USERS.get(first.costsLike ?? ''));
    expect(set.subjectOf('stranger')).toEqual(first);
  });

  test('strangers are spread over all users', () => {
    const standIns = Array.from({ length: 100 }, (_, index) => set.subjectOf(`stranger ${String(index)}`).costsLike);
    expect(new Set(standIns)).toEqual(new Set(['prom', 'grafana', 'backup']));
  });

  test('who stands in cannot be computed without the key', () => {
    const other = createCredentialSet(USERS, createKeyedDigest(Buffer.alloc(32, 8)));
    const names = Array.from({ length: 50 }, (_, index) => `stranger ${String(index)}`);
    expect(names.map((name) => other.subjectOf(name).costsLike)).not.toEqual(
      names.map((name) => set.subjectOf(name).costsLike),
    );
  });

  test.each(['__proto__', 'constructor', 'toString', ''])('%j is a stranger', (name) => {
    expect(set.subjectOf(name).isKnown).toBe(false);
  });

  test('a user of that name is one', () => {
    const odd = createCredentialSet(new Map([['__proto__', USERS.get('prom') ?? []]]), digest);
    expect(odd.subjectOf('__proto__').isKnown).toBe(true);
    expect(odd.subjectOf('prom').isKnown).toBe(false);
  });

  test('without users nobody stands in', () => {
    expect(createCredentialSet(new Map(), digest).subjectOf('prom')).toEqual({
      isKnown: false,
      costsLike: null,
      lines: [],
    });
  });

  test('a user without lines is none', () => {
    expect(createCredentialSet(new Map([['prom', []]]), digest).subjectOf('prom').isKnown).toBe(false);
  });
});

test('a change is one of lines, users that came and users that went', () => {
  const before = usersOf({ same: ['a'], other: ['b'], gone: ['c'] });
  const after = usersOf({ same: ['a'], other: ['B'], come: ['d'] });
  expect(changedUsers(before, after).sort()).toEqual(['come', 'gone', 'other']);
});
