import { expect, test } from 'vitest';
import { Admission, type Entry } from '../../src/listen/admission.ts';

const LIMITS = { connections: 5, connectionsPerAddress: 2 };

/** Connections with names; those in `busy` have a request in flight. */
function places(busy: ReadonlySet<string> = new Set()): {
  readonly admission: Admission<string>;
  readonly enter: (name: string, address: string) => Entry<string>;
} {
  const admission = new Admission<string>((name) => !busy.has(name));
  return { admission, enter: (name, address) => admission.enter(name, address, LIMITS) };
}

const ENTERED = { kind: 'entered' };

test('one address holds no more than its share, and its oldest makes room for its next', () => {
  const { admission, enter } = places();
  expect(enter('a', '192.0.2.1')).toEqual(ENTERED);
  expect(enter('b', '192.0.2.1')).toEqual(ENTERED);
  const reason = 'too_many_connections_from_address';
  expect(enter('c', '192.0.2.1')).toEqual({ kind: 'replaced', holder: 'a', reason });
  expect(admission.total).toBe(2);
  admission.leave('a');
  expect(admission.total).toBe(2);
  admission.leave('b');
  expect(enter('d', '192.0.2.1')).toEqual(ENTERED);
});

test('what has authenticated stays while it is busy, and the newcomer is refused', () => {
  const busy = new Set(['a', 'b']);
  const { admission, enter } = places(busy);
  for (const name of busy) {
    enter(name, '192.0.2.1');
    admission.authenticated(name);
  }
  const reason = 'too_many_connections_from_address';
  expect(enter('c', '192.0.2.1')).toEqual({ kind: 'refused', reason });
  busy.delete('b');
  expect(enter('c', '192.0.2.1')).toEqual({ kind: 'replaced', holder: 'b', reason });
  expect(enter('d', '192.0.2.1')).toEqual({ kind: 'replaced', holder: 'c', reason });
});

test('an IPv6 /64 counts as one address, and the site that it is part of as one party', () => {
  const { enter } = places();
  enter('a', '2001:db8::1');
  enter('b', '2001:db8::2');
  expect(enter('c', '2001:db8::3')).toMatchObject({ holder: 'a', reason: 'too_many_connections_from_address' });
  enter('honest', '198.51.100.1');
  enter('honest too', '198.51.100.1');
  enter('d', '2001:db8:0:1::1');
  expect(enter('e', '192.0.2.1')).toMatchObject({ holder: 'b', reason: 'too_many_connections' });
});

test('the total is bounded over all addresses: the oldest of the largest net yields', () => {
  const { admission, enter } = places();
  enter('lone', '198.51.100.1');
  for (let host = 1; host <= 4; host++) expect(enter(`bot ${host}`, `192.0.2.${host}`)).toEqual(ENTERED);
  const reason = 'too_many_connections';
  expect(enter('newcomer', '203.0.113.1')).toEqual({ kind: 'replaced', holder: 'bot 1', reason });
  admission.authenticated('bot 2');
  expect(enter('next', '203.0.113.2')).toMatchObject({ holder: 'bot 3' });
  expect(admission.total).toBe(5);
});
