import { expect, test } from 'vitest';
import { isSanAllowed } from '../../../src/request/authenticate/allowed-sans.ts';
import { NO_SANS } from './fixtures.ts';

test('an empty list allows all, also a certificate without names', () => {
  expect(isSanAllowed(NO_SANS, [])).toBe(true);
});

test.each([
  ['master.example.com', { dns: ['x.example.com', 'master.example.com'] }],
  ['Master.example.com', { dns: ['master.EXAMPLE.com'] }],
  ['prom@example.com', { email: ['prom@example.com'] }],
  ['spiffe://example.com/prom', { uri: ['spiffe://example.com/prom'] }],
  ['192.0.2.1', { ip: ['192.0.2.1'] }],
  ['2001:DB8:0::1', { ip: ['2001:db8::1'] }],
])('%s is in the certificate', (allowed, sans) => {
  expect(isSanAllowed({ ...NO_SANS, ...sans }, ['other.example.com', allowed])).toBe(true);
});

test.each([
  ['192.0.2.1', { dns: ['192.0.2.1'] }],
  ['192.0.2.1', { ip: ['192.0.2.10'] }],
  ['prom@example.com', { dns: ['prom@example.com'] }],
  ['prom@example.com', { email: ['PROM@example.com'] }],
  ['spiffe://example.com/prom', { dns: ['spiffe://example.com/prom'] }],
  ['master.example.com', { uri: ['master.example.com'], email: ['master.example.com'] }],
  ['example.com', { dns: ['master.example.com'] }],
  ['*.example.com', { dns: ['master.example.com'] }],
])('%s is not what the certificate has', (allowed, sans) => {
  expect(isSanAllowed({ ...NO_SANS, ...sans }, [allowed])).toBe(false);
});
