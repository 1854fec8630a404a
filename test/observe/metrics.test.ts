import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import type { KeyPair } from '../../src/config/config.ts';
import { METRICS } from '../../src/observe/metric-list.ts';
import { createMetrics, type GateMetrics } from '../../src/observe/metrics.ts';
import { DENY_REASON_NAMES } from '../../src/request/deny-reasons.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { findProgram } from '../support/programs.ts';
import { acmeOf, configOf, tlsOf, upstreamAt, upstreamOf } from '../support/config-fixture.ts';

const START = Date.UTC(2026, 0, 1);
const REQUEST = {
  upstream: 'http://127.0.0.1:9090',
  identity: 'prom',
  status: 200,
  durationSeconds: 0.02,
  bytesOut: 1500,
  bytesIn: 10,
};

function make(): GateMetrics {
  return createMetrics({ clock: createFakeClock(START), version: '1.2.3', nodeVersion: 'v20.19.0' });
}

async function lines(metrics: GateMetrics): Promise<string[]> {
  return (await metrics.expose()).body.split('\n');
}

function pair(changes: Partial<KeyPair> = {}): KeyPair {
  return {
    cert: '',
    key: '',
    name: 'server.crt',
    names: [],
    notBefore: START,
    notAfter: START + 1000,
    serial: '01',
    issuer: 'CN=x',
    keyType: 'ec',
    ...changes,
  };
}

const users = new Map([['prom', []]]);
let authority: Authority | null = null;

afterEach(() => {
  authority?.remove();
  authority = null;
});

describe('the exposition', () => {
  it('passes promtool check metrics with every metric in use', async () => {
    const metrics = make();
    authority = createAuthority('Client "CA"');
    const trust = {
      type: 'RequireAndVerifyClientCert',
      ca: [authority.cert],
      caFingerprints: new Set<string>(),
      crlOnExpiry: 'deny',
      allowedSans: [],
      crls: [
        {
          pem: '',
          issuer: 'CN=CA',
          issuerKey: '',
          authorityKey: '',
          number: 1n,
          thisUpdate: 0,
          nextUpdate: START,
          revoked: new Set<string>(),
        },
      ],
    } as const;
    metrics.describe(
      configOf({
        users,
        tls: tlsOf({ certificates: [pair()], trust }),
        files: [{ path: '/etc/promgate/ca.crl', source: 'client_ca' }],
        access: { ...configOf().access, allowHosts: ['master.example.com'] },
        acme: acmeOf('gate.example.com'),
      }),
    );
    metrics.request(REQUEST);
    metrics.scrape({
      ...REQUEST,
      scrape: { bytes: 1, series: 1, samples: 1, firstByteMs: 1, sharing: 'leader' },
      isWhole: true,
    });
    metrics.visited({
      identity: { name: 'prom', label: 'prom', user: 'prom', certificate: null, claim: { kind: 'open' } },
      address: '192.0.2.7',
      bytesOut: 1,
      scrape: null,
      isWhole: true,
      denial: null,
    });
    metrics.refused('bad_http');
    metrics.connectionOpened();
    metrics.upstreamUp(REQUEST.upstream, true);
    metrics.upstreamBypassable(REQUEST.upstream, true);
    metrics.upstreamRetried(REQUEST.upstream);
    metrics.passwordHashed(0.1);
    metrics.hostNameResolved('master.example.com', false);
    metrics.acme.nextRenewal('gate.example.com', 1);
    metrics.acme.ariWindow('gate.example.com', 1, 2);
    metrics.acme.selfSigned('gate.example.com', true);
    metrics.authority.crlKept('/etc/promgate/ca.crl', true);
    metrics.authority.crlFetched('/etc/promgate/ca.crl', 1);
    const { body, contentType } = await metrics.expose();
    const found = spawnSync(findProgram('promtool'), ['check', 'metrics'], { input: body, encoding: 'utf8' });
    expect(found.stdout + found.stderr).toBe('');
    expect(found.status).toBe(0);
    expect(contentType).toContain('version=0.0.4');
    for (const { name } of Object.values(METRICS)) {
      expect(body, name).toMatch(new RegExp(`^${name}(?:_count)?(?:\\{.*\\})? `, 'm'));
    }
  });

  it('counts attempts to obtain a certificate, and forgets one that is no longer wanted', async () => {
    const metrics = make();
    // Before the configuration is described: a manager starts first.
    metrics.acme.selfSigned('gate.example.com', true);
    metrics.describe(configOf({ acme: acmeOf('gate.example.com') }));
    metrics.acme.attempt('gate.example.com', 'ca.example.com', 'rate-limited');
    metrics.acme.nextRenewal('gate.example.com', 12);
    metrics.acme.nextRenewal('stranger.example.com', 12);
    metrics.acme.attempt('stranger.example.com', 'ca.example.com', 'issued');
    metrics.acme.attempt('gate.example.com', 'stranger', 'issued');
    const { body } = await metrics.expose();
    const counter = 'promgate_acme_attempts_total{name="gate.example.com",directory="ca.example.com"';
    expect(body).toContain(`${counter},outcome="rate-limited"} 1`);
    expect(body).toContain(`${counter},outcome="issued"} 0`);
    expect(body).toContain('promgate_acme_self_signed{name="gate.example.com"} 1');
    expect(body).toContain('promgate_acme_next_renewal_timestamp_seconds{name="gate.example.com"} 12');
    expect(body).not.toContain('stranger');
    metrics.describe(configOf());
    expect((await metrics.expose()).body).not.toContain('gate.example.com');
  });

  it('has every reason of a refusal from the start, at 0', async () => {
    const exposed = await lines(make());
    for (const reason of DENY_REASON_NAMES) expect(exposed).toContain(`promgate_refused_total{reason="${reason}"} 0`);
  });

  it('counts a refusal under its reason', async () => {
    const metrics = make();
    metrics.refused('locked_out');
    metrics.refused('locked_out');
    expect(await lines(metrics)).toContain('promgate_refused_total{reason="locked_out"} 2');
  });

  it('names the versions of the gate and of Node', async () => {
    expect(await lines(make())).toContain('promgate_build_info{version="1.2.3",node_version="v20.19.0"} 1');
  });

  it('has the metrics of the process, and none that breaks the naming rules', async () => {
    const { body } = await make().expose();
    expect(body).toContain('process_resident_memory_bytes ');
    expect(body).toContain('process_start_time_seconds ');
    expect(body).not.toContain('nodejs_active_handles');
  });

  it('is shared by scrapes that come at once', async () => {
    const metrics = make();
    const [first, second] = await Promise.all([metrics.expose(), metrics.expose()]);
    expect(second.body).toBe(first.body);
    metrics.refused('bad_http');
    expect((await metrics.expose()).body).not.toBe(first.body);
  });

  it('counts connections up and down, and those ever opened', async () => {
    const metrics = make();
    metrics.connectionOpened();
    metrics.connectionOpened();
    metrics.connectionClosed();
    metrics.inFlight(1);
    const exposed = await lines(metrics);
    expect(exposed).toContain('promgate_connections 1');
    expect(exposed).toContain('promgate_connections_opened_total 2');
    expect(exposed).toContain('promgate_requests_in_flight 1');
  });
});

describe('a request', () => {
  it('is counted by upstream, code and identity, with its time and bytes', async () => {
    const metrics = make();
    metrics.describe(configOf({ users }));
    metrics.request(REQUEST);
    metrics.request(REQUEST);
    const exposed = await lines(metrics);
    const upstream = 'upstream="http://127.0.0.1:9090"';
    expect(exposed).toContain(`promgate_requests_total{${upstream},code="200",identity="prom"} 2`);
    expect(exposed).toContain(`promgate_response_bytes_total{${upstream},identity="prom"} 3000`);
    expect(exposed).toContain(`promgate_request_bytes_total{${upstream},identity="prom"} 20`);
    expect(exposed).toContain(`promgate_request_duration_seconds_bucket{le="0.025",${upstream}} 2`);
    expect(exposed).toContain(`promgate_request_duration_seconds_bucket{le="0.01",${upstream}} 0`);
  });

  it('without an upstream is counted under "none"', async () => {
    const metrics = make();
    metrics.describe(configOf({ users }));
    metrics.request({ ...REQUEST, upstream: 'none', status: 401, identity: 'anonymous' });
    expect(await lines(metrics)).toContain(
      'promgate_requests_total{upstream="none",code="401",identity="anonymous"} 1',
    );
  });

  it('never throws over numbers that are none', async () => {
    const metrics = make();
    metrics.describe(configOf({ users }));
    metrics.request({ ...REQUEST, durationSeconds: Number.NaN, bytesIn: -1, bytesOut: Number.POSITIVE_INFINITY });
    expect(await lines(metrics)).toContain(
      'promgate_requests_total{upstream="http://127.0.0.1:9090",code="200",identity="prom"} 1',
    );
  });
});

describe('describe', () => {
  it('shows the end of each certificate, CA and revocation list in seconds', async () => {
    const metrics = make();
    authority = createAuthority('Client CA');
    const crl = { pem: '', issuerKey: '', authorityKey: '', number: 1n, thisUpdate: 0, revoked: new Set<string>() };
    metrics.describe(
      configOf({
        tls: tlsOf({
          certificates: [pair()],
          trust: {
            type: 'RequireAndVerifyClientCert',
            ca: [authority.cert],
            caFingerprints: new Set(),
            crlOnExpiry: 'deny',
            allowedSans: [],
            crls: [
              { ...crl, issuer: 'CN=old', nextUpdate: START + 5000 },
              { ...crl, issuer: 'CN=old', nextUpdate: START + 2000 },
              { ...crl, issuer: 'CN=open', nextUpdate: null },
            ],
          },
        }),
      }),
    );
    const { body } = await metrics.expose();
    expect(body).toContain(`promgate_certificate_not_after_timestamp_seconds{name="server.crt"} ${START / 1000 + 1}\n`);
    expect(body).toContain(`promgate_certificate_not_before_timestamp_seconds{name="server.crt"} ${START / 1000}\n`);
    expect(body).toContain(`promgate_crl_next_update_timestamp_seconds{issuer="CN=old"} ${START / 1000 + 2}\n`);
    expect(body).not.toContain('CN=open');
    expect(body).toMatch(
      /promgate_client_ca_not_after_timestamp_seconds\{subject="CN=Client CA",serial="[0-9A-F]+"\} 1\d{9}\n/,
    );
  });

  it('shows the hash of the running configuration alone', async () => {
    const metrics = make();
    metrics.describe(configOf({ hash: 'aaaaaaaaaaaa' }));
    metrics.describe(configOf({ hash: 'bbbbbbbbbbbb' }));
    const exposed = (await lines(metrics)).filter((line) => line.startsWith('promgate_config_info'));
    expect(exposed).toEqual(['promgate_config_info{hash="bbbbbbbbbbbb"} 1']);
  });

  it('removes the series of upstreams, users, host names and certificates that are gone', async () => {
    const metrics = make();
    const access = { ...configOf().access, allowHosts: ['old.example.com'] };
    metrics.describe(configOf({ users, access, tls: tlsOf({ certificates: [pair({ name: 'old.crt' })] }) }));
    metrics.request(REQUEST);
    metrics.upstreamUp(REQUEST.upstream, true);
    metrics.hostNameResolved('old.example.com', true);
    metrics.describe(configOf({ upstreams: [upstreamAt(1)] }));
    const { body } = await metrics.expose();
    for (const gone of ['127.0.0.1:9090', 'identity="prom"', 'old.example.com', 'old.crt'])
      expect(body).not.toContain(gone);
    expect(metrics.upstreamStates().size).toBe(0);
  });

  it('shows what was told of an upstream or a host name before the configuration knew it', async () => {
    const metrics = make();
    const access = { ...configOf().access, allowHosts: ['new.example.com'] };
    metrics.upstreamUp(REQUEST.upstream, true);
    metrics.describe(configOf());
    expect([...metrics.upstreamStates()]).toEqual([[REQUEST.upstream, true]]);
    metrics.hostNameResolved('new.example.com', false);
    metrics.describe(configOf({ access }));
    const exposed = await lines(metrics);
    expect(exposed).toContain('promgate_upstream_up{upstream="http://127.0.0.1:9090"} 1');
    expect(exposed).toContain('promgate_host_name_resolution_failures_total{host="new.example.com"} 1');
  });

  it('keeps the counts of what stays', async () => {
    const metrics = make();
    metrics.describe(configOf({ users }));
    metrics.request(REQUEST);
    metrics.describe(configOf({ users, generation: 2, upstreams: [upstreamOf(), upstreamAt(1)] }));
    metrics.request(REQUEST);
    expect(await lines(metrics)).toContain(
      'promgate_requests_total{upstream="http://127.0.0.1:9090",code="200",identity="prom"} 2',
    );
  });

  it('starts with every source loaded, and does not repaint a failed reload', async () => {
    const metrics = make();
    metrics.describe(configOf());
    metrics.reloaded('htpasswd', false, 5);
    metrics.describe(configOf());
    const exposed = await lines(metrics);
    expect(exposed).toContain('promgate_config_last_reload_successful{source="config"} 1');
    expect(exposed).toContain('promgate_config_last_reload_successful{source="htpasswd"} 0');
    expect(exposed).toContain(
      `promgate_config_last_reload_success_timestamp_seconds{source="htpasswd"} ${START / 1000}`,
    );
  });
});
