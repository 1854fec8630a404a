import { expect, test } from 'vitest';
import { isExempt } from '../../../src/request/authenticate/exempt.ts';
import { addresses } from './fixtures.ts';

const exempt = [{ paths: new Set(['/-/healthy', '/-/ready']), from: addresses('10.0.0.0/8') }];
const target = (method: string, path: string) => ({ method, path, query: '' });

test('a listed path is public for GET and HEAD from where the entry says', () => {
  expect(isExempt(exempt, target('GET', '/-/healthy'), '10.1.2.3')).toBe(true);
  expect(isExempt(exempt, target('HEAD', '/-/ready'), '10.1.2.3')).toBe(true);
});

test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'get'])('%s is never exempt', (method) => {
  expect(isExempt(exempt, target(method, '/-/healthy'), '10.1.2.3')).toBe(false);
});

test.each(['/-/healthy/', '/-/healthyx', '/-/Healthy', '/', '/-/', '/-/healthy/x', '/-/h%65althy'])(
  '%s is another path',
  (path) => {
    expect(isExempt(exempt, target('GET', path), '10.1.2.3')).toBe(false);
  },
);

test('an address outside of `from` needs credentials', () => {
  expect(isExempt(exempt, target('GET', '/-/healthy'), '192.0.2.1')).toBe(false);
  expect(isExempt(exempt, target('GET', '/-/healthy'), '::1')).toBe(false);
});

test('path and address must belong to one entry', () => {
  const two = [
    { paths: new Set(['/-/healthy']), from: addresses('10.0.0.0/8') },
    { paths: new Set(['/metrics']), from: addresses('192.0.2.1') },
  ];
  expect(isExempt(two, target('GET', '/metrics'), '10.1.2.3')).toBe(false);
  expect(isExempt(two, target('GET', '/metrics'), '192.0.2.1')).toBe(true);
});
