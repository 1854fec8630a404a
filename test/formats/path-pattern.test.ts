import { describe, expect, it } from 'vitest';
import { matchesPath, parsePathPattern, type PathPattern } from '../../src/formats/path-pattern.ts';

function pattern(text: string): PathPattern {
  const read = parsePathPattern(text);
  if (!read.ok) throw new Error(`${text}: ${read.message}`);
  return read.value;
}

describe('matchesPath', () => {
  it.each([
    ['/metrics', ['/metrics'], ['/metrics/', '/metrics/x', '/metric', '/metricsx', '/', '/METRICS']],
    ['/a/*', ['/a/b', '/a/b/c', '/a/'], ['/a', '/ab', '/ab/c', '/', '/b/a/c']],
    ['/*', ['/', '/a', '/a/b'], []],
    ['/', ['/'], ['/a']],
    ['/-/healthy', ['/-/healthy'], ['/-/ready']],
    ['/a/', ['/a/'], ['/a', '/a/b']],
  ])('%s', (text, inside, outside) => {
    for (const path of inside) expect(matchesPath(pattern(text), path), path).toBe(true);
    for (const path of outside) expect(matchesPath(pattern(text), path), path).toBe(false);
  });
});

describe('parsePathPattern', () => {
  it.each([
    '',
    'metrics',
    '@scrape',
    '//',
    '/a//b',
    '/a//*',
    '/a/../b',
    '/a/./b',
    '/..',
    '/a/../*',
    '/a?x=1',
    '/a#b',
    '/a%2fb',
    '/a%',
    '/a*',
    '/*/b',
    '/a/**',
    '/a b',
    '/a;b',
    '/a\\b',
    '/é',
    '/a\n',
    'http://h/a',
  ])('refuses %j', (text) => {
    expect(parsePathPattern(text)).toMatchObject({ ok: false });
  });
});
