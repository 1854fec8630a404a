import { describe, expect, it } from 'vitest';
import { clientHeaders, publicLocation } from '../../../src/request/forward/response-headers.ts';
import { upstreamOf } from '../../support/config-fixture.ts';

describe('what comes back', () => {
  it('is everything but hop-by-hop headers, those that Connection names, and alt-svc', () => {
    const incoming = {
      connection: 'close, X-Hop',
      'x-hop': '1',
      'keep-alive': 'timeout=5',
      'transfer-encoding': 'chunked',
      trailer: 'x-sum',
      upgrade: 'h2c',
      'proxy-authenticate': 'Basic',
      'alt-svc': 'h3=":443"',
      'content-type': 'text/plain',
      'content-encoding': 'gzip',
      'set-cookie': ['a=1', 'b=2'],
      server: 'nginx',
    };
    expect(clientHeaders(incoming, upstreamOf({ passCookies: true }))).toEqual({
      'content-type': 'text/plain',
      'content-encoding': 'gzip',
      'set-cookie': ['a=1', 'b=2'],
      server: 'nginx',
    });
  });
});

describe('a Location of the upstream', () => {
  const plain = upstreamOf();
  const below = upstreamOf({ pathPrefix: '/site', stripPrefix: true, basePath: '/base' });
  const kept = upstreamOf({ pathPrefix: '/site', basePath: '/base' });
  const aware = upstreamOf({ pathPrefix: '/prom', stripPrefix: true });
  const nested = upstreamOf({ pathPrefix: '/base', stripPrefix: true, basePath: '/base/site' });
  const socket = upstreamOf({
    address: { kind: 'unix', socketPath: '/run/x' },
    pathPrefix: '/site',
    stripPrefix: true,
  });

  it.each([
    ['/graph', plain, '/graph'],
    ['http://127.0.0.1:9090/graph?a=b#c', plain, '/graph?a=b#c'],
    ['https://127.0.0.1:9090/graph', plain, '/graph'],
    ['//127.0.0.1:9090/graph', plain, '/graph'],
    ['http://127.0.0.1:9090', plain, '/'],
    ['HTTP://127.0.0.1:9090/x', plain, '/x'],
    ['graph', plain, 'graph'],
    ['./graph', plain, './graph'],
    ['?a=b', plain, '?a=b'],
    ['https://login.example.com/x', plain, 'https://login.example.com/x'],
    ['http://127.0.0.1:9091/x', plain, 'http://127.0.0.1:9091/x'],
    ['//evil.test/x', plain, '//evil.test/x'],
    ['http://127.0.0.1:9090//evil.test/', plain, '/evil.test/'],
    ['http://[', plain, 'http://['],
    ['/base/graph', below, '/site/graph'],
    ['/base', below, '/site/'],
    ['/base?x=1', below, '/site/?x=1'],
    ['http://127.0.0.1:9090/base/graph', below, '/site/graph'],
    ['/basement', below, '/basement'],
    ['/base#x', below, '/site/#x'],
    ['/prom/query', aware, '/prom/query'],
    ['/prom', aware, '/prom'],
    ['/prom?x=1', aware, '/prom?x=1'],
    ['http://127.0.0.1:9090/prom/query#x', aware, '/prom/query#x'],
    ['/promises', aware, '/prom/promises'],
    ['/query', aware, '/prom/query'],
    ['/base/site/graph', nested, '/base/graph'],
    ['/base/site/graph', kept, '/site/graph'],
    ['http://localhost/graph', socket, '/site/graph'],
  ])('%s', (location, upstream, expected) => {
    expect(publicLocation(location, upstream)).toBe(expected);
  });

  it('is rewritten in Location and Content-Location', () => {
    const incoming = { location: 'http://127.0.0.1:9090/a', 'content-location': 'http://127.0.0.1:9090/b' };
    expect(clientHeaders(incoming, plain)).toEqual({ location: '/a', 'content-location': '/b' });
  });
});
