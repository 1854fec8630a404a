import { expect, it } from 'vitest';
import { didYouMean } from '../../src/formats/suggest.ts';

const WORDS = ['listen_addresses', 'admin_address', 'allow', 'deny', 'exempt', 'RequireAndVerifyClientCert'];

it.each([
  ['listen_adresses', 'listen_addresses'],
  ['alow', 'allow'],
  ['alolw', 'allow'],
  ['dney', 'deny'],
  ['DENY', 'deny'],
  ['RequireAndVerify', null],
  ['RequireAndVerifyClientCerts', 'RequireAndVerifyClientCert'],
  ['zzz', null],
  ['', null],
  ['x'.repeat(10_000), null],
])('%.30s: %s', (word, expected) => {
  expect(didYouMean(word, WORDS)).toBe(expected);
});

it('prefers the nearest, and of two equally near the first', () => {
  expect(didYouMean('abcx', ['abcdef', 'abcd'])).toBe('abcd');
  expect(didYouMean('abcx', ['abcy', 'abcz'])).toBe('abcy');
});

it('knows nothing where there is nothing to choose from', () => {
  expect(didYouMean('word', [])).toBeNull();
});
