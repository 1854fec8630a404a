import fc from '../support/property.ts';
import { expect, it } from 'vitest';
import { judgeTarget } from '../../src/request/target.ts';

const TRICKS = [
  '/',
  '//',
  '.',
  '..',
  '%2e',
  '%2F',
  '%5c',
  '\\',
  ';',
  '?',
  '#',
  '%00',
  '%C0%AF',
  '%C3%A9',
  'a',
  'é',
  '%25',
  '%',
  '*',
  'http:',
];

const url = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.webUrl(),
  fc.array(fc.constantFrom(...TRICKS), { maxLength: 10 }).map((parts) => `/${parts.join('')}`),
  fc
    .array(fc.string({ unit: fc.constantFrom(...'abcXYZ019-._~@:'), minLength: 1 }), { maxLength: 5 })
    .map((all) => `/${all.join('/')}`),
);

it('no request line makes the judge throw', () => {
  fc.assert(
    fc.property(fc.string(), url, (method, text) => {
      judgeTarget(method, text);
      judgeTarget('GET', text);
    }),
    { numRuns: 2000 },
  );
});

it('what passes is taken letter by letter', () => {
  fc.assert(
    fc.property(url, (text) => {
      const judged = judgeTarget('GET', text);
      if ('fault' in judged) return;
      const whole = judged.path + (text.includes('?') ? `?${judged.query}` : '');
      expect(whole).toBe(text);
    }),
    { numRuns: 2000 },
  );
});

it('what passes is the same path to a URL parser, before and after one more decoding', () => {
  fc.assert(
    fc.property(url, (text) => {
      const judged = judgeTarget('GET', text);
      if ('fault' in judged) return;
      expect(new URL(judged.path, 'http://gate.example').host).toBe('gate.example');
      expect(new URL(judged.path, 'http://gate.example').pathname).toBe(judged.path);
      const decoded = decodeURIComponent(judged.path);
      expect(decoded.split('/')).toHaveLength(judged.path.split('/').length);
      expect(decoded.split('/').some((segment) => segment === '.' || segment === '..')).toBe(false);
      expect(decodeURIComponent(decoded)).toBe(decoded);
    }),
    { numRuns: 3000 },
  );
});

it('a letter has one spelling: two different paths that pass decode to different paths', () => {
  const spelling = fc.constantFrom('e', '%65', '%45', 'E', '%C3%A9', '%c3%a9', '%C3%A8', '-', '%2D', '~', '%7E', '%20');
  fc.assert(
    fc.property(fc.array(spelling, { minLength: 1 }), fc.array(spelling, { minLength: 1 }), (left, right) => {
      const paths = [left, right].map((parts) => `/${parts.join('')}`);
      if (paths[0] === paths[1] || paths.some((path) => 'fault' in judgeTarget('GET', path))) return;
      const [one, other] = paths.map((path) => decodeURIComponent(path));
      expect(one).not.toBe(other);
    }),
  );
});
