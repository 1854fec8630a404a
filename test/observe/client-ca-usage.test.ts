import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { parseCertificates } from '../../src/formats/x509.ts';
import { createClientCaUsage } from '../../src/observe/client-ca-usage.ts';
import type { ClientCaUsage } from '../../src/observe/client-ca-usage.ts';
import type { ConnectionFacts } from '../../src/request/connection.ts';
import { createAuthority } from '../support/certificates.ts';
import type { Authority } from '../support/certificates.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import type { FakeClock } from '../support/fake-clock.ts';

let old: Authority;
let next: Authority;
let clock: FakeClock;
let usage: ClientCaUsage;

beforeAll(() => {
  old = createAuthority('Old CA');
  next = createAuthority('New CA');
});
afterAll(() => {
  old.remove();
  next.remove();
});
beforeEach(() => {
  clock = createFakeClock(1_800_000_000_000);
  usage = createClientCaUsage(clock);
});

const trusting = (...cas: readonly Authority[]) =>
  ({ tls: { trust: { ca: cas.map(({ cert }) => cert) } } }) as unknown as Pick<Config, 'tls'>;

function fingerprintOf({ cert }: Authority): string {
  const certificates = parseCertificates(cert);
  return (certificates.ok ? certificates.value[0]?.fingerprint : undefined) ?? '';
}

const connection = (ca: Authority | null, dns = ['central.example.com']): ConnectionFacts =>
  ({
    id: 1,
    peer: '10.0.0.1',
    tls: {
      certificate: {
        commonName: 'central',
        sans: { dns, email: [], uri: [], ip: [] },
        chain: ca === null ? [] : [{ fingerprint: 'LEAF' }, { fingerprint: fingerprintOf(ca) }],
      },
    },
  }) as unknown as ConnectionFacts;

describe('the usage of the client CAs', () => {
  it('says of each when its last certificate was seen, whose it was, and for how long one has looked', () => {
    usage.follow(trusting(old, next));
    clock.advance(60_000);
    usage.saw(connection(old));
    clock.advance(5_000);
    usage.saw(connection(null));
    usage.saw({ id: 2, peer: '10.0.0.2', tls: null });
    expect(usage.report()).toEqual([
      {
        fingerprint: fingerprintOf(old),
        subject: 'CN=Old CA',
        watchedSeconds: 65,
        seenSecondsAgo: 5,
        last: { name: 'central.example.com', address: '10.0.0.1' },
      },
      { fingerprint: fingerprintOf(next), subject: 'CN=New CA', watchedSeconds: 65, seenSecondsAgo: null, last: null },
    ]);
  });

  it('is kept over a reload, and begins anew for a CA that was away', () => {
    usage.follow(trusting(old));
    usage.saw(connection(old));
    clock.advance(10_000);
    usage.follow(trusting(next, old));
    expect(usage.report().map(({ watchedSeconds, seenSecondsAgo }) => [watchedSeconds, seenSecondsAgo])).toEqual([
      [0, null],
      [10, 10],
    ]);
    usage.follow(trusting(next));
    usage.follow(trusting(next, old));
    expect(usage.report()[1]).toMatchObject({ watchedSeconds: 0, seenSecondsAgo: null });
  });

  it('remembers nothing but the configured CAs, and no control characters of a name', () => {
    usage.follow(trusting(old));
    usage.saw(connection(next));
    expect(usage.report()).toHaveLength(1);
    usage.saw(connection(old, ['a\u001b[31m']));
    expect(usage.report()[0]?.last?.name).not.toContain('\u001b');
    usage.follow({ tls: null });
    expect(usage.report()).toEqual([]);
  });
});
