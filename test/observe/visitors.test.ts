import { describe, expect, it } from 'vitest';
import type { Config, IdentityRule } from '../../src/config/config.ts';
import type { SeenUser, Visit } from '../../src/observe/ports.ts';
import { createVisitors } from '../../src/observe/visitors.ts';
import type { Identity, VerifiedCertificate } from '../../src/request/identity.ts';
import { configOf } from '../support/config-fixture.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const START = Date.UTC(2026, 0, 1);
const SCRAPE = { bytes: 1000, series: 7, samples: 7, firstByteMs: 1, sharing: 'leader' } as const;

function certificate(serial: string, name = 'master.example.com'): VerifiedCertificate {
  return {
    name,
    serial,
    spkiHash: `spki-${serial}`,
    commonName: null,
    sans: { dns: [name], email: [], uri: [], ip: [] },
  };
}

function identity(user: string | null, shown: VerifiedCertificate | null = null, name?: string): Identity {
  const own = user === null ? (shown === null ? 'anonymous' : `certificate:${shown.name}`) : `password:${user}`;
  return { name: name ?? own, label: name ?? user ?? 'certificate', user, certificate: shown, claim: { kind: 'open' } };
}

function visit(by: Identity, changes: Partial<Visit> = {}): Visit {
  return { identity: by, address: '192.0.2.7', bytesOut: 10, scrape: null, isWhole: true, denial: null, ...changes };
}

function withUsers(names: readonly string[], identities: Config['identities'] = null): Config {
  return configOf({ users: new Map(names.map((name) => [name, []])), identities });
}

function rule(name: string, passwordUsers: readonly string[], hasCertificates = false): IdentityRule {
  const certificates = hasCertificates ? [{ by: 'cn', value: name }] : [];
  return { name, passwordUsers, certificates } as unknown as IdentityRule;
}

const short = ({ identity: name, user, certificate: shown, requests }: SeenUser): unknown[] => [
  name,
  user,
  shown?.serial ?? null,
  requests,
];

function make(mostCertificates?: number) {
  const clock = createFakeClock(START);
  return { clock, visitors: createVisitors(clock, mostCertificates) };
}

describe('visitors', () => {
  it('knows of each credential when it was seen last, from where, and what it took', () => {
    const { clock, visitors } = make();
    visitors.keep(withUsers(['prom']));
    visitors.visited(visit(identity('prom'), { scrape: SCRAPE }));
    clock.advance(5000);
    visitors.visited(visit(identity('prom'), { address: '192.0.2.8', denial: 'cap_series', isWhole: false }));
    expect(visitors.since).toBe(START);
    expect(visitors.list()).toEqual([
      {
        identity: 'password:prom',
        user: 'prom',
        certificate: null,
        lastSeenMs: START + 5000,
        address: '192.0.2.8',
        requests: 2,
        scrapes: 1,
        bytes: 20,
        series: 7,
        refusals: 1,
        lastRefusal: 'cap_series',
      },
    ]);
  });

  it('keeps the series of the last whole scrape', () => {
    const { visitors } = make();
    visitors.keep(withUsers(['prom']));
    visitors.visited(visit(identity('prom'), { scrape: SCRAPE }));
    visitors.visited(visit(identity('prom'), { scrape: { ...SCRAPE, series: 3 }, isWhole: false }));
    expect(visitors.list()).toMatchObject([{ series: 7, scrapes: 2 }]);
    visitors.visited(visit(identity('prom'), { scrape: { ...SCRAPE, series: null } }));
    expect(visitors.list()).toMatchObject([{ series: null, scrapes: 3 }]);
  });

  it('lists configured users and identities with certificates that were never seen', () => {
    const { visitors } = make();
    visitors.keep(
      withUsers(['prom', 'grafana', 'nobody'], [rule('dashboards', ['grafana']), rule('master', [], true)]),
    );
    visitors.visited(visit(identity('prom')));
    expect(visitors.list().map(short)).toEqual([
      ['dashboards', 'grafana', null, 0],
      ['master', null, null, 0],
      ['password:nobody', 'nobody', null, 0],
      ['password:prom', 'prom', null, 1],
    ]);
    expect(visitors.list()[1]).toMatchObject({ certificate: { serial: null }, lastSeenMs: null, address: null });
    visitors.visited(visit(identity(null, certificate('0A'), 'master')));
    expect(visitors.list().map(short)[1]).toEqual(['master', null, '0A', 1]);
  });

  it('tells credentials apart: serials, keys, users with and without a certificate', () => {
    const { visitors } = make();
    visitors.keep(withUsers(['prom']));
    for (const one of [certificate('0A'), certificate('0B'), { ...certificate('0A'), spkiHash: 'another' }]) {
      visitors.visited(visit(identity(null, one)));
    }
    visitors.visited(visit(identity('prom', certificate('0A'))));
    visitors.visited(visit(identity('prom')));
    visitors.visited(visit(identity(null)));
    visitors.visited(visit(identity(null, certificate('0A'))));
    expect(visitors.list().map(short)).toEqual([
      ['anonymous', null, null, 1],
      ['certificate:master.example.com', null, '0A', 2],
      ['certificate:master.example.com', null, '0A', 1],
      ['certificate:master.example.com', null, '0B', 1],
      ['password:prom', 'prom', null, 1],
      ['password:prom', 'prom', '0A', 1],
    ]);
  });

  it('forgets a removed user, and takes no late visit of theirs', () => {
    const { visitors } = make();
    visitors.keep(withUsers(['prom', 'gone']));
    visitors.visited(visit(identity('gone')));
    visitors.visited(visit(identity('gone', certificate('0A'))));
    visitors.keep(withUsers(['prom']));
    visitors.visited(visit(identity('gone')));
    expect(visitors.list().map(short)).toEqual([['password:prom', 'prom', null, 0]]);
  });

  it('forgets the certificate that was not seen for the longest time when there are too many', () => {
    const { clock, visitors } = make(3);
    for (const serial of ['01', '02', '03', '01', '04', '05']) {
      clock.advance(1000);
      visitors.visited(visit(identity(null, certificate(serial))));
    }
    expect(visitors.list().map((row) => row.certificate?.serial)).toEqual(['01', '04', '05']);
  });

  it('forgets certificates of the identity that has the most of them, whoever was seen longest ago', () => {
    const { visitors, clock } = make(4);
    visitors.visited(visit(identity(null, certificate('0A'), 'quiet')));
    for (const serial of ['01', '02', '03', '04', '05', '06']) {
      clock.advance(1000);
      visitors.visited(visit(identity(null, certificate(serial), 'busy')));
    }
    expect(visitors.list().map(short)).toEqual([
      ['busy', null, '04', 1],
      ['busy', null, '05', 1],
      ['busy', null, '06', 1],
      ['quiet', null, '0A', 1],
    ]);
  });

  it('shows a user under the identity of the running configuration', () => {
    const { visitors } = make();
    visitors.keep(withUsers(['prom']));
    visitors.visited(visit(identity('prom')));
    visitors.visited(visit(identity('prom', null, 'master')));
    expect(visitors.list().map(short)).toEqual([['master', 'prom', null, 2]]);
  });

  it('says when an identity was seen last, by its label, and forgets labels that are gone', () => {
    const { clock, visitors } = make();
    visitors.keep(withUsers(['prom', 'gone']));
    visitors.visited(visit(identity('gone')));
    clock.advance(1000);
    visitors.visited(visit(identity('prom')));
    expect([...visitors.lastSeen()]).toEqual([
      ['gone', START],
      ['prom', START + 1000],
    ]);
    visitors.keep(withUsers(['prom']));
    expect([...visitors.lastSeen().keys()]).toEqual(['prom']);
  });
});
