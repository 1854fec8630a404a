import { expect, test } from 'vitest';
import { Admission } from '../../src/listen/admission.ts';

const LIMITS = { connections: 5, connectionsPerAddress: 2 };

test('one address holds no more than its share, and gets it back', () => {
  const admission = new Admission();
  expect(admission.enter('192.0.2.1', LIMITS)).toBeNull();
  expect(admission.enter('192.0.2.1', LIMITS)).toBeNull();
  expect(admission.enter('192.0.2.1', LIMITS)).toBe('too_many_connections_from_address');
  expect(admission.enter('192.0.2.2', LIMITS)).toBeNull();
  admission.leave('192.0.2.1');
  expect(admission.enter('192.0.2.1', LIMITS)).toBeNull();
});

test('an IPv6 /64 counts as one address', () => {
  const admission = new Admission();
  expect(admission.enter('2001:db8::1', LIMITS)).toBeNull();
  expect(admission.enter('2001:db8::2', LIMITS)).toBeNull();
  expect(admission.enter('2001:db8::3', LIMITS)).toBe('too_many_connections_from_address');
  expect(admission.enter('2001:db8:0:1::1', LIMITS)).toBeNull();
});

test('the total is bounded over all addresses', () => {
  const admission = new Admission();
  for (let host = 1; host <= 5; host++) expect(admission.enter(`192.0.2.${host}`, LIMITS)).toBeNull();
  expect(admission.enter('192.0.2.6', LIMITS)).toBe('too_many_connections');
  expect(admission.total).toBe(5);
  admission.leave('192.0.2.1');
  expect(admission.enter('192.0.2.6', LIMITS)).toBeNull();
});
