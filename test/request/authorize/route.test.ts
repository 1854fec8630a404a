import { describe, expect, it } from 'vitest';
import { chooseRoute } from '../../../src/request/authorize/route.ts';
import { upstreamOf } from '../../support/config-fixture.ts';

const root = upstreamOf({ name: 'root' });
const gate = upstreamOf({ name: 'gate', pathPrefix: '/promgate', kind: 'exporter' });
const deep = upstreamOf({ name: 'deep', pathPrefix: '/promgate/deep' });

describe('chooseRoute', () => {
  it('takes the longest prefix, whatever the order of the upstreams', () => {
    for (const upstreams of [
      [root, gate, deep],
      [deep, gate, root],
    ]) {
      expect(chooseRoute(upstreams, '/promgate/deep/metrics')).toMatchObject({
        upstream: { name: 'deep' },
        kindPath: '/metrics',
      });
      expect(chooseRoute(upstreams, '/promgate/metrics')).toMatchObject({
        upstream: { name: 'gate' },
        kindPath: '/metrics',
      });
      expect(chooseRoute(upstreams, '/federate')).toMatchObject({ upstream: { name: 'root' }, kindPath: '/federate' });
    }
  });

  it('cuts a prefix only at the end of a segment', () => {
    expect(chooseRoute([gate], '/promgatex/metrics')).toBeNull();
    expect(chooseRoute([root, gate], '/promgatex')).toMatchObject({ upstream: { name: 'root' } });
  });

  it('gives the prefix itself the path /', () => {
    expect(chooseRoute([gate], '/promgate')).toMatchObject({ kindPath: '/' });
    expect(chooseRoute([gate], '/promgate/')).toMatchObject({ kindPath: '/' });
  });

  it('finds nothing when no prefix covers the path', () => {
    expect(chooseRoute([gate], '/metrics')).toBeNull();
    expect(chooseRoute([], '/')).toBeNull();
  });
});
