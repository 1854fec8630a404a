/**
 * Every way of being refused, at the real gate: each has its status, one log line and one counter with the reason, and
 * the configured headers. A new reason fails this test until it is provoked here or named with the test that does.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DENY_REASONS, DENY_REASON_NAMES } from '../../src/request/deny-reasons.ts';
import type { DenyReason } from '../../src/request/deny-reasons.ts';
import { createAuthority } from '../support/certificates.ts';
import type { Issued } from '../support/certificates.ts';
import type { CurlResult } from '../support/curl.ts';
import { freePort } from '../support/free-port.ts';
import { poll } from '../support/poll.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';
import { sendRaw } from '../support/raw-client.ts';
import { PASSWORD, USER, htpasswdLine, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

/** Reasons that close a connection without an answer, or that only a fault inside can bring about. */
const PROVOKED_IN: Partial<Record<DenyReason, string>> = {
  address_denied: 'test/e2e/main-job.test.ts',
  too_many_connections: 'test/security/connection-limits.test.ts',
  too_many_connections_from_address: 'test/security/connection-limits.test.ts',
  tls_handshake_failed: 'test/security/connection-limits.test.ts',
  http_on_tls_port: 'test/security/connection-limits.test.ts',
  costly_handshakes: 'test/security/tls-costly-handshakes.test.ts',
  too_many_bodies: 'test/security/forward-endless-bodies.test.ts',
  tls_handshake_timeout: 'test/security/connection-limits.test.ts',
  http2_no_preface: 'test/security/http2-floods.test.ts',
  http2_flood: 'test/security/http2-floods.test.ts',
  pipeline_exceeded: 'test/security/connection-limits.test.ts',
  unauthenticated_flood: 'test/security/connection-limits.test.ts',
  idle_timeout: 'test/security/connection-limits.test.ts',
  send_timeout: 'test/security/connection-limits.test.ts',
  connection_expired: 'test/listen/verdict.test.ts',
  draining: 'test/listen/verdict.test.ts',
  enrollment_request_invalid: 'test/security/enrollment-token.test.ts',
  enrollment_failed: 'test/security/enrollment-token.test.ts',
  renewal_refused: 'test/security/enrollment-renewal.test.ts',
  login_queue_full: 'test/request/authenticate/password-check.test.ts',
  certificate_invalid: 'test/request/authenticate/client-certificate.test.ts',
  upstream_failed: 'test/request/forward/forward.test.ts',
  restricted_path: 'test/request/enforce/judge.test.ts',
  restricted_query: 'test/request/enforce/judge.test.ts',
  selector_denied: 'test/request/enforce/judge.test.ts',
  bad_parameters: 'test/request/enforce/judge.test.ts',
  bad_query: 'test/request/enforce/judge.test.ts',
  answer_unreadable: 'test/request/enforce/json-filter.test.ts',
  narrowing_busy: 'test/security/enforce-costly-questions.test.ts',
  scrape_timeout: 'test/request/forward/scrape/deadline.test.ts',
  scrape_busy: 'test/request/forward/scrape/sharing.test.ts',
  scrape_too_slow: 'test/request/forward/scrape/sharing.test.ts',
  cap_bytes: 'test/request/forward/scrape/caps.test.ts',
  cap_series: 'test/request/forward/scrape/caps.test.ts',
  cap_duration: 'test/request/forward/scrape/caps.test.ts',
  cap_concurrent_scrapes: 'test/request/forward/scrape/caps.test.ts',
  media_type: 'test/request/respond/plugin.test.ts',
  internal_error: 'test/request/respond/plugin.test.ts',
};

const HEADER = 'x-frame-options';
const basic = (user: string, password = PASSWORD): string =>
  `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('a refusal', () => {
  let prometheus: Prometheus;
  let hanging: Server;
  let main: Scene;
  let limited: Scene;
  let stale: Scene;
  const covered = new Set<DenyReason>();

  beforeAll(async () => {
    prometheus = await startPrometheus();
    // Fault injection: it takes every request and answers none.
    hanging = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(hanging, 'listening');
    const { port: hangingPort } = hanging.address() as AddressInfo;
    const deadPort = await freePort();
    const headers = 'http_server_config: {headers: {X-Frame-Options: deny}}';
    const users = [
      await htpasswdLine(USER, PASSWORD),
      await htpasswdLine('other', PASSWORD),
      await htpasswdLine('nobody', PASSWORD),
      await htpasswdLine('far', PASSWORD),
    ].join('');
    [main, limited, stale] = await Promise.all([
      startScene({
        files: { '.htpasswd': users },
        yaml: `
${headers}
authenticate: either
trusted_proxies: [127.0.0.10]
deny: [192.0.2.66]
exempt: [{paths: [/-/healthy], from: [127.0.0.11]}]
lockout: {attempts: 3}
limits: {header_timeout: 1s}
upstreams:
  - {url: "${prometheus.url}", request_body_limit: 1KB}
  - {url: "http://127.0.0.1:${deadPort}", path_prefix: /dead, strip_prefix: true}
  - {url: "http://127.0.0.1:${hangingPort}", path_prefix: /slow, kind: any, response_timeout: 1s, max_connections: 1, max_queue: 0}
identities:
  - {name: central, password_users: [${USER}], certificates: [{san: central}], paths: ["@scrape", "@query", /dead/*, /slow/*]}
  - {name: other, paths: ["@scrape"]}
  - {name: far, allow_from: [192.0.2.1]}
`,
      }),
      startScene({
        yaml: `
${headers}
rate_limit: {interval: 1h, burst: 1}
upstreams: [{url: "${prometheus.url}"}]
`,
      }),
      startScene({ yaml: `${headers}\nauthenticate: either\nupstreams: [{url: "${prometheus.url}"}]` }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([main.stop(), limited.stop(), stale.stop()]);
    hanging.closeAllConnections();
    hanging.close();
    await prometheus.stop();
  });

  const count = async (scene: Scene, reason: DenyReason): Promise<number> => {
    const found = new RegExp(`promgate_refused_total\\{reason="${reason}"\\} (\\d+)`).exec(await scene.gate.metrics());
    return Number(found?.[1]);
  };
  const lines = (scene: Scene, reason: DenyReason): number =>
    scene.gate
      .logs()
      .split(`msg="request refused"`)
      .filter((line) => line.split('\n')[0]?.includes(`reason=${reason}`)).length;

  /** Provokes it once, and expects exactly one line, one count and the configured header. */
  const expectRefusal = async (scene: Scene, reason: DenyReason, provoke: () => Promise<CurlResult>): Promise<void> => {
    const before = { count: await count(scene, reason), lines: lines(scene, reason) };
    const answer = await provoke();
    expect(answer.status, answer.stderr).toBe(DENY_REASONS[reason].status);
    expect(answer.headers[HEADER]).toBe('deny');
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f]{16}$/);
    expect(answer.body).toContain(DENY_REASONS[reason].public);
    expect(answer.headers['server']).toBeUndefined();
    const id = answer.headers['x-request-id'] ?? '';
    await poll('the line in the log', () => scene.gate.logs().includes(`id=${id}`));
    expect(lines(scene, reason) - before.lines).toBe(1);
    expect((await count(scene, reason)) - before.count).toBe(1);
    covered.add(reason);
  };

  const shows = ({ certFile, keyFile }: Issued): string[] => ['--cert', certFile, '--key', keyFile];

  const OVER_HTTP: readonly (readonly [DenyReason, () => Promise<CurlResult>])[] = [
    ['bad_target', () => main.ask('/metrics/%2e%2e/-/quit', '--path-as-is')],
    [
      'bad_header',
      () =>
        main.ask(
          '/metrics',
          '--http1.1',
          '-H',
          basic(USER),
          '-H',
          'Host: a',
          '-H',
          'Content-Type: a',
          '-H',
          'Content-Type: b',
        ),
    ],
    ['bad_framing', () => main.ask('/federate', '-X', 'GET', '--data', 'a=b')],
    ['bad_forwarded_for', () => main.ask('/metrics', '--interface', '127.0.0.10', '-H', 'X-Forwarded-For: unknown')],
    ['address_denied', () => main.ask('/metrics', '--interface', '127.0.0.10', '-H', 'X-Forwarded-For: 192.0.2.66')],
    ['credentials_missing', () => main.askAsStranger('/metrics')],
    ['credentials_malformed', () => main.askAsStranger('/metrics', '-H', 'Authorization: Bearer abc')],
    ['credentials_wrong', () => main.askAsStranger('/metrics', '-u', `${USER}:wrong`)],
    ['identity_unknown', () => main.askAsStranger('/metrics', '-u', `nobody:${PASSWORD}`)],
    ['identity_mismatch', () => main.askAsStranger('/metrics', '-u', `other:${PASSWORD}`, ...shows(main.client))],
    ['identity_address', () => main.askAsStranger('/metrics', '-u', `far:${PASSWORD}`)],
    ['identity_path', () => main.askAsStranger('/api/v1/query?query=up', '-u', `other:${PASSWORD}`)],
    ['path_unknown', () => main.ask('/nowhere')],
    ['method_not_allowed', () => main.ask('/federate', '-X', 'DELETE')],
    ['body_too_large', () => main.ask('/api/v1/query', '--data', `query=${'u'.repeat(2048)}`)],
    ['upstream_unreachable', () => main.ask('/dead/metrics')],
    ['upstream_timeout', () => main.ask('/slow/metrics')],
  ];
  it.each(OVER_HTTP)('by %s has its status, line, counter and headers', async (reason, provoke) => {
    await expectRefusal(main, reason, provoke);
  });

  it('names the path where it is in normal form, the target in the detail where not, and neither in quotes', async () => {
    const lineOf = async (answer: CurlResult): Promise<string> => {
      const id = `id=${answer.headers['x-request-id'] ?? ''} `;
      await poll('the line in the log', () => main.gate.logs().includes(id));
      return (
        main.gate
          .logs()
          .split('\n')
          .find((line) => line.includes(id)) ?? ''
      );
    };
    const framing = await lineOf(await main.ask('/federate?x=1', '-X', 'GET', '--data', 'a=b'));
    expect(framing).toContain(' method=GET path=/federate status=400 reason=bad_framing detail="a body on GET"');
    const target = await lineOf(await main.ask('//api/v1/query?query=up', '--path-as-is'));
    expect(target).toContain(' method=GET status=400 reason=bad_target detail="empty segment in //api/v1/query"');
    expect(target).not.toContain('path=');
    await main.askAsStranger('/metrics', '--interface', '127.0.0.21', '-u', `${USER}:wrong`);
    await poll('the login', () => main.gate.logs().includes(`address=127.0.0.21 reason=credentials_wrong`));
    expect(main.gate.logs()).toMatch(new RegExp(`msg="login failed" address=127.0.0.21 .* user=${USER}\n`));
  });

  it('by upstream_busy has its status, line, counter and headers', async () => {
    const first = main.ask('/slow/first');
    await poll('the first to be under way', async () =>
      /promgate_requests_in_flight [1-9]/.test(await main.gate.metrics()),
    );
    await expectRefusal(main, 'upstream_busy', () => main.ask('/slow/second'));
    await first;
  });

  it('by locked_out has its status, line, counter and headers, and says when to come back', async () => {
    const guess = (password: string): Promise<CurlResult> =>
      main.askAsStranger('/metrics', '--interface', '127.0.0.20', '-u', `${USER}:${password}`);
    // The third locks; the fourth is the one verification that a locked address still has, for a cold cache.
    for (const password of ['one', 'two', 'three', 'four'])
      expect(await guess(password)).toMatchObject({ status: 401 });
    await expectRefusal(main, 'locked_out', async () => {
      const answer = await guess('five');
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      return answer;
    });
  });

  it('by a certificate has the exact reason in log and counter, and the same words for the client', async () => {
    const stranger = createAuthority('strangers');
    const yesterday = new Date(Date.now() - 86_400_000);
    const tomorrow = new Date(Date.now() + 86_400_000);
    const later = new Date(Date.now() + 2 * 86_400_000);
    const lastWeek = new Date(Date.now() - 7 * 86_400_000);
    const { authority } = main;
    const certificates: readonly (readonly [DenyReason, Issued])[] = [
      ['certificate_unknown_ca', stranger.issue({ name: 'central', sans: ['DNS:central'], purpose: 'client' })],
      ['certificate_expired', authority.issue({ name: 'old', notBefore: lastWeek, notAfter: yesterday })],
      ['certificate_not_yet_valid', authority.issue({ name: 'early', notBefore: tomorrow, notAfter: later })],
      ['certificate_wrong_purpose', authority.issue({ name: 'server', purpose: 'server' })],
    ];
    for (const [reason, issued] of certificates) {
      await expectRefusal(main, reason, () => main.askAsStranger('/metrics', ...shows(issued)));
    }
    stranger.remove();
  });

  it('of the parser has a line, a counter and the headers too', async () => {
    const raw: readonly (readonly [DenyReason, string])[] = [
      ['bad_http', 'GET / HTTP/1.1\r\nHost: localhost\r\nbroken header\r\n\r\n'],
      ['headers_too_large', `GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(70_000)}\r\n\r\n`],
      ['header_timeout', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: '],
    ];
    for (const [reason, bytes] of raw) {
      const before = await count(main, reason);
      const { statuses, text } = await sendRaw(main.gate.port, bytes);
      expect(statuses, reason).toEqual([DENY_REASONS[reason].status]);
      expect(text.toLowerCase()).toContain(`${HEADER}: deny`);
      expect((await count(main, reason)) - before).toBe(1);
      expect(main.gate.logs()).toContain(`reason=${reason}`);
      covered.add(reason);
    }
  });

  it('by rate_limited has its status, line, counter and headers', async () => {
    await limited.askAsStranger('/metrics');
    await expectRefusal(limited, 'rate_limited', () => limited.askAsStranger('/metrics'));
  });

  it('of a connection whose certificate is not acceptable has the reason, before one byte of HTTP', async () => {
    const { authority, client, gate } = stale;
    const { writeFile } = await import('node:fs/promises');
    const reload = async (crl: string): Promise<void> => {
      await writeFile(`${gate.directory}/ca.crl`, crl);
      const text = await readFile(gate.configFile, 'utf8');
      const key = 'client_crl_files: [ca.crl]';
      if (!text.includes(key))
        await writeFile(gate.configFile, text.replace('client_ca_file: ca.crt', `client_ca_file: ca.crt\n  ${key}`));
      await gate.command('reload');
    };
    const expectClosed = async (reason: DenyReason, issued: Issued): Promise<void> => {
      expect(await stale.askAsStranger('/metrics', ...shows(issued))).toMatchObject({ status: 0 });
      await poll(reason, async () => (await count(stale, reason)) > 0);
      expect(gate.logs()).toContain(`reason=${reason}`);
      covered.add(reason);
    };
    authority.revoke(client);
    await reload(authority.crl().pem);
    await expectClosed('certificate_revoked', client);

    const fine = authority.issue({ name: 'fine', sans: ['DNS:fine'], purpose: 'client' });
    const hourAgo = new Date(Date.now() - 3_600_000);
    const dayAgo = new Date(Date.now() - 86_400_000);
    await reload(authority.crl({ thisUpdate: dayAgo, nextUpdate: hourAgo }).pem);
    await expectClosed('crl_expired', fine);

    await reload(authority.crl().pem);
    const text = await readFile(gate.configFile, 'utf8');
    await writeFile(
      gate.configFile,
      text.replace('client_ca_file:', 'client_allowed_sans: [elsewhere]\n  client_ca_file:'),
    );
    await gate.command('reload');
    await expectClosed('certificate_san_not_allowed', fine);

    await writeFile(
      gate.configFile,
      text.replace('VerifyClientCertIfGiven', 'RequireAndVerifyClientCert').replace('either', 'both'),
    );
    await gate.command('reload');
    expect(await stale.askAsStranger('/metrics')).toMatchObject({ status: 0 });
    await poll('certificate_missing', async () => (await count(stale, 'certificate_missing')) > 0);
    covered.add('certificate_missing');
  });

  it('is nowhere without a test', async () => {
    const root = fileURLToPath(new URL('../../', import.meta.url));
    for (const reason of DENY_REASON_NAMES) {
      const file = PROVOKED_IN[reason];
      if (covered.has(reason)) continue;
      expect(file, `${reason} is not provoked`).toBeDefined();
      expect(await readFile(root + (file ?? ''), 'utf8'), `${reason} in ${file ?? ''}`).toContain(reason);
    }
  });
});
