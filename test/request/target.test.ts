import { describe, expect, it } from 'vitest';
import { judgeTarget } from '../../src/request/target.ts';
import { expectLinear } from '../support/expect-linear.ts';

function faultOf(method: string, url: string | undefined): string | null {
  const judged = judgeTarget(method, url);
  return 'fault' in judged ? judged.fault : null;
}

describe('a target in normal form', () => {
  it.each([
    ['/', '/', ''],
    ['/metrics', '/metrics', ''],
    ['/metrics?', '/metrics', ''],
    ['/federate?match[]={job="a"}&match[]=up', '/federate', 'match[]={job="a"}&match[]=up'],
    ['/api/v1/query?query=a%20%2F%2e%zz;b', '/api/v1/query', 'query=a%20%2F%2e%zz;b'],
    ['/a?b?c=/../d', '/a', 'b?c=/../d'],
    ['/-/healthy', '/-/healthy', ''],
    ['/assets/index-B1c2_D.js', '/assets/index-B1c2_D.js', ''],
    ['/api/v1/label/U__a_2e_b/values', '/api/v1/label/U__a_2e_b/values', ''],
    ['/metrics/job/a%20b/x/%C3%A9%E2%82%AC', '/metrics/job/a%20b/x/%C3%A9%E2%82%AC', ''],
    ['/a/', '/a/', ''],
    ['/a/...', '/a/...', ''],
    ['/a/.hidden/b..c', '/a/.hidden/b..c', ''],
    ["/metrics/job@base64/YQ==/!$&'()*+,:@", "/metrics/job@base64/YQ==/!$&'()*+,:@", ''],
  ])('%s is taken as it is', (url, path, query) => {
    expect(judgeTarget('GET', url)).toEqual({ method: 'GET', path, query });
  });
});

describe('a path that two servers would read in two ways', () => {
  it.each([
    ['a dot segment', ['/..', '/../x', '/a/../b', '/a/..', '/.', '/a/./b', '/a/.']],
    ['an escaped dot', ['/%2e%2e/x', '/%2E%2E/x', '/.%2E/x', '/a/%2E', '/a%2Eb']],
    ['an escaped separator', ['/a%2fb', '/a%2Fb', '/a%5Cb', '/a%5cb', '/%2F', '/a%3Bb', '/a%3Fb', '/a%23b']],
    ['a doubly escaped one', ['/a%252fb', '/a%252Fb', '/%252E%252E/b', '/%25']],
    ['an empty segment', ['//', '//a', '/a//b', '/a//', '//evil.example/x']],
    ['a path parameter', ['/a;b', '/a/..;/b', '/;/a', '/a;']],
    ['a backslash', ['/a\\b', '/\\..\\b', '\\a', '/\\evil.example']],
    ['a NUL or another control', ['/a%00', '/a%0A', '/a%0d%0ab', '/a%1F', '/a%7F', '/a\0', '/a\tb', '/a\x7f', '/a\n']],
    ['an over-long encoding', ['/%C0%AF', '/%C0%AE%C0%AE/', '/%E0%80%AF', '/%F0%80%80%AF', '/%C1%9C']],
    ['invalid UTF-8', ['/%FF', '/%C3', '/%ED%A0%80', '/%F5%80%80%80', '/a%80']],
    ['a bad escape', ['/%', '/%2', '/%zz', '/%u002e', '/a%G0', '/%%32%65', '/%-1', '/% 2']],
    ['a lower-case escape', ['/%c3%a9', '/%C3%a9', '/a%3d']],
    ['an escaped letter', ['/%61', '/m%65trics', '/api/v1/%61dmin', '/%2D/quit', '/%7Euser', '/%5Fx']],
    ['raw bytes beyond ASCII', ['/é', '/\u00e9', '/\u2024\u2024/', '/\uff0f', '/a\u2028b']],
    ['what no path holds', ['/a b', '/a"b', '/a<b', '/a{b}', '/a|b', '/a^b', '/a`b', '/a[b]', '/a#b']],
  ])('with %s is refused', (_what, urls) => {
    for (const url of urls) {
      expect(faultOf('GET', url), url).not.toBeNull();
      expect(faultOf('GET', `${url.split('?')[0] ?? ''}?x=1`), `${url}?x=1`).not.toBeNull();
    }
  });
});

describe('a target that is not in origin form', () => {
  it.each([
    'http://evil.example/x',
    'HTTP://evil.example/x',
    'https://127.0.0.1/metrics',
    'file:///etc/passwd',
    '*',
    '',
    '?x=1',
    'metrics',
    'evil.example:443',
    ' /metrics',
    '@/metrics',
  ])('%j is refused', (url) => {
    expect(faultOf('GET', url)).not.toBeNull();
  });

  it('is refused for OPTIONS *, by name', () => {
    expect(faultOf('OPTIONS', '*')).toBe('asterisk form');
  });

  it('is refused for CONNECT, which has no target at all in HTTP/2', () => {
    expect(faultOf('CONNECT', 'evil.example:443')).toBe('CONNECT is never proxied');
    expect(faultOf('CONNECT', undefined)).toBe('CONNECT is never proxied');
    expect(faultOf('GET', undefined)).toBe('no request target');
  });
});

describe('a method', () => {
  it.each(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'])('%s is taken', (method) => {
    expect(faultOf(method, '/')).toBeNull();
  });

  it.each(['get', 'Get', '', 'GET ', 'M-SEARCH', 'GÉT', 'A'.repeat(21), 'GET\n'])('%j is refused', (method) => {
    expect(faultOf(method, '/')).toBe('method is not a token in upper case');
  });

  it.each(['TRACE', 'TRACK', 'CONNECT'])('%s would give away or tunnel, and is refused', (method) => {
    expect(faultOf(method, '/')).toBe(`${method} is never proxied`);
  });
});

describe('a query', () => {
  it('is raw UTF-8, as Go takes it, and escaped from then on', () => {
    const raw = Buffer.from('/a?query=é{x="😀"}&b=%C3').toString('latin1');
    expect(judgeTarget('GET', raw)).toMatchObject({ query: 'query=%C3%A9{x="%F0%9F%98%80"}&b=%C3' });
  });

  it.each([
    '/a?#',
    '/a?b#c',
    '/a?b c',
    '/a?é',
    '/a?\xc3',
    '/a?\xc0\xaf',
    '/a?\xed\xa0\x80',
    '/a?\u0100',
    '/a?\0',
    '/a?b\nc',
    '/a?\x7f',
    '/a?\t',
  ])('%j is refused', (url) => {
    expect(faultOf('GET', url)).toBe('character that does not belong in a query');
  });
});

it.each([
  ['segments and a query', (size: number) => `/${'a/'.repeat(size / 4)}b?${'x=%41&'.repeat(size / 12)}`, null],
  ['escapes', (size: number) => `/${'%C3%A9'.repeat(size / 6)}`, null],
  ['dot segments', (size: number) => `/${'./'.repeat(size / 2)}`, 'dot segment'],
])('%s of 64 KiB are judged in time linear in their length', (_what, urlOf, fault) => {
  expectLinear({ small: 960, large: 61_440 }, (size) => {
    const url = urlOf(size);
    return () => {
      expect(faultOf('GET', url)).toBe(fault);
    };
  });
});
