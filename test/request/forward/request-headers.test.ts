import fc from '../../support/property.ts';
import { describe, expect, it } from 'vitest';
import { upstreamHeaders } from '../../../src/request/forward/request-headers.ts';
import type { Origin } from '../../../src/request/forward/request-headers.ts';

const ORIGIN: Origin = {
  kind: 'prometheus',
  endpointClass: 'query',
  peer: '192.0.2.7',
  peerIsTrusted: false,
  scheme: 'https',
  host: 'gate.example.com:9095',
  identityName: 'master',
  authorization: { kind: 'none' },
  passCookies: false,
  set: new Map(),
  setForIdentity: null,
  neverFromClient: new Set(),
};

const OURS = {
  'x-forwarded-for': '192.0.2.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'gate.example.com:9095',
  'x-promgate-user': 'master',
};

describe('what goes upstream', () => {
  it('is the closed list and what is ours, for every kind but any', () => {
    const passed = {
      accept: 'text/plain',
      'accept-encoding': 'gzip',
      'content-type': 'application/x-www-form-urlencoded',
      'if-none-match': '"1"',
      'if-modified-since': 'Sat, 01 Jan 2026 00:00:00 GMT',
      range: 'bytes=0-1',
      'user-agent': 'Prometheus/3.5',
      'x-prometheus-scrape-timeout-seconds': '10',
      traceparent: '00-1-1-00',
    };
    const dropped = { referer: 'x', origin: 'x', 'x-anything': '1', 'accept-language': 'de', 'content-length': '5' };
    for (const kind of ['prometheus', 'exporter'] as const) {
      expect(upstreamHeaders({ ...passed, ...dropped }, { ...ORIGIN, kind })).toEqual({ ...passed, ...OURS });
    }
    expect(upstreamHeaders({ ...passed, 'x-anything': '1' }, { ...ORIGIN, kind: 'any' })).toEqual({
      ...passed,
      'x-anything': '1',
      ...OURS,
    });
  });

  it('never is Authorization, Cookie or a hop-by-hop header of the client, in any spelling', () => {
    const names = [
      'authorization',
      'cookie',
      'connection',
      'keep-alive',
      'proxy-authorization',
      'proxy-connection',
      'proxy_foo',
      'te',
      'trailer',
      'transfer-encoding',
      'transfer_encoding',
      'upgrade',
      'expect',
      'host',
      'content_length',
      'http2-settings',
      'x_promgate_user',
      'x-promgate_user',
      'x_promgate-user',
      'x-promgate-other',
      'x.promgate.user',
      'x~promgate|user',
      "x!promgate'other",
      'x.forwarded.for',
      'x*forwarded+host',
      'transfer.encoding',
      'content^length',
      'proxy`authorization',
      'x#real$ip',
      'x_forwarded_for',
      'x-forwarded_host',
      'x-forwarded-port',
      'forwarded',
      'x-real-ip',
      'x_real_ip',
      'x-original-url',
      'x-rewrite-url',
      'x-http-method-override',
      ':authority',
      ':path',
    ];
    const incoming = Object.fromEntries(names.map((name) => [name, 'evil']));
    for (const kind of ['prometheus', 'any'] as const) {
      expect(upstreamHeaders(incoming, { ...ORIGIN, kind })).toEqual(OURS);
    }
  });

  it('is ours for x-promgate-user and x-forwarded-for, whatever a client sends (any names, any kind)', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z_.~!-]{1,20}$/), fc.string()),
        fc.constantFrom('x-promgate-user', 'x_promgate_user', 'x-forwarded-for', 'x.forwarded_for', 'authorization'),
        fc.constantFrom('prometheus' as const, 'any' as const),
        (others, forged, kind) => {
          const out = upstreamHeaders({ ...others, [forged]: 'evil' }, { ...ORIGIN, kind });
          const read = Object.entries(out).map(([name, value]) => [name.replace(/[^a-z0-9]/g, '-'), value]);
          expect(read.filter(([name]) => name === 'x-promgate-user')).toEqual([['x-promgate-user', 'master']]);
          expect(read.filter(([name]) => name === 'x-forwarded-for')).toEqual([['x-forwarded-for', '192.0.2.7']]);
          expect(out).not.toHaveProperty('authorization');
        },
      ),
    );
  });

  it('lacks what Connection names, but not what is ours', () => {
    const incoming = { connection: 'close, X-Named, x-forwarded-for', 'x-named': '1', 'x-kept': '1' };
    expect(upstreamHeaders(incoming, { ...ORIGIN, kind: 'any' })).toEqual({ 'x-kept': '1', ...OURS });
  });

  it('has the credential of the upstream, not that of the client', () => {
    const authorization = { kind: 'header', value: 'Bearer ours' } as const;
    const out = upstreamHeaders({ authorization: 'Basic theirs' }, { ...ORIGIN, authorization });
    expect(out['authorization']).toBe('Bearer ours');
  });

  it('has Content-Encoding only where the operator has opened a path by hand', () => {
    const incoming = { 'content-encoding': 'snappy' };
    expect(upstreamHeaders(incoming, ORIGIN)).not.toHaveProperty('content-encoding');
    expect(upstreamHeaders(incoming, { ...ORIGIN, endpointClass: 'also_allow' })['content-encoding']).toBe('snappy');
  });
});

describe('the word of a peer on its client', () => {
  const incoming = {
    'x-forwarded-for': '198.51.100.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'public.example.com',
  };

  it('is taken from a trusted proxy, with the proxy appended', () => {
    expect(upstreamHeaders(incoming, { ...ORIGIN, peerIsTrusted: true })).toMatchObject({
      'x-forwarded-for': '198.51.100.1, 192.0.2.7',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'public.example.com',
    });
  });

  it('is not taken from anybody else', () => {
    expect(upstreamHeaders(incoming, ORIGIN)).toEqual(OURS);
  });

  it('is not taken when it is no scheme or no host', () => {
    const odd = { 'x-forwarded-proto': 'javascript', 'x-forwarded-host': 'a/b"c' };
    expect(upstreamHeaders(odd, { ...ORIGIN, peerIsTrusted: true })).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'gate.example.com:9095',
    });
  });
});

describe('the name of an identity', () => {
  it.each([
    ['password:prom', 'password:prom'],
    ['jürgen €', 'j%C3%BCrgen %E2%82%AC'],
    ['a\r\nx-evil: 1', 'a%0D%0Ax-evil: 1'],
    ['50%', '50%25'],
    ['\ud800', '%EF%BF%BD'],
  ])('%j is sent as %j', (identityName, sent) => {
    expect(upstreamHeaders({}, { ...ORIGIN, identityName })['x-promgate-user']).toBe(sent);
  });
});
