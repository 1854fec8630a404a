/** A central host gets its client certificate over the real gate, with the commands as they are printed, and renews it. */
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthorityHost, paste, readToken, serialOf } from '../support/authority-host.ts';
import type { AuthorityHost } from '../support/authority-host.ts';
import { curl } from '../support/curl.ts';
import type { Gate } from '../support/gate.ts';
import { startNodeExporter } from '../support/node-exporter.ts';
import type { NodeExporter } from '../support/node-exporter.ts';
import { poll } from '../support/poll.ts';
import { runProcess } from '../support/processes.ts';
import type { Finished } from '../support/processes.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';

/** The host of the gate and of its CA. */
let site: AuthorityHost;
/** The host of the central Prometheus. */
let centre: string;
let upstream: NodeExporter;
let gate: Gate;
let prometheus: Prometheus | null = null;

const certs = (name: string): string => site.certs(name);
const own = (name: string): string => join(centre, name);

const onSite = (...argv: readonly string[]): Promise<string> => site.pki(...argv);
const onCentre = (line: string, input = ''): Promise<Finished> => paste(line, { cwd: centre, input });

async function newToken(...argv: readonly string[]): Promise<{ readonly command: string; readonly token: string }> {
  return readToken(await onSite('token', ...argv));
}

async function opens(): Promise<void> {
  await poll('the gate has seen the token', async () => (await gate.metrics()).includes('promgate_enrollment_open 1'));
}

interface Listed {
  readonly certificates: readonly { readonly name: string; readonly serial: string; readonly state: string }[];
}
const listed = async () => (JSON.parse(await onSite('list', '--output=json')) as Listed).certificates;

function scraping(): Prometheus {
  return prometheus ?? expect.fail('the first test has started no Prometheus');
}

beforeAll(async () => {
  site = await createAuthorityHost();
  centre = await mkdtemp(join(tmpdir(), 'promgate-centre-'));
  upstream = await startNodeExporter();
  gate = await site.startGate(`
access_log: true
enrollment: {authority: ${join(site.directory, 'certs')}, renew: true}
upstreams: [{url: "${upstream.url}", kind: exporter}]
`);
  // Where the commands look for it: beside the directory of the CA.
  await copyFile(gate.configFile, join(site.directory, 'promgate.yml'));
});
afterAll(async () => {
  await prometheus?.stop();
  await gate.stop();
  await upstream.stop();
  await site.remove();
  await rm(centre, { recursive: true, force: true });
});

describe('a central Prometheus', () => {
  it('gets its certificate with the printed command and the token, and scrapes with the printed tls_config', async () => {
    const { command, token } = await newToken('central', '--san=dns:central.example.com', '--days=30');
    expect(command).toMatch(/^promgate pki enroll central --gate=https:\/\/\S+ --ca-fingerprint=[0-9A-F]{64}$/);
    expect(token).toMatch(/^[0-9a-f]{32}$/);
    await opens();
    const enrolled = await onCentre(command, `${token}\n`);
    expect(enrolled, enrolled.stderr).toMatchObject({ code: 0 });
    expect(readdirSync(centre).sort()).toEqual([
      'central.ca.crt',
      'central.crt',
      'central.enrollment.json',
      'central.key',
    ]);
    expect(statSync(own('central.key')).mode & 0o777).toBe(0o600);
    expect(existsSync(certs('central.key'))).toBe(false);
    const strict = ['-x509_strict', '-purpose', 'sslclient', '-CAfile', certs('ca.crt')];
    expect(await runProcess('openssl', ['verify', ...strict, own('central.crt')])).toMatchObject({ code: 0 });
    const indented = enrolled.stdout.trim().replace(/^/gm, '    ');
    prometheus = await startPrometheus({
      scrapeConfigs: `  - job_name: site\n    scheme: https\n${indented}\n    static_configs: [{targets: ["127.0.0.1:${gate.port}"]}]`,
    });
    await scraping().waitFor('up{job="site"} == 1');
    expect(gate.logs()).not.toContain(token);
  });

  it('gets no second one for the same token, and a stranger finds the door closed again', async () => {
    const { command, token } = await newToken('second');
    await opens();
    mkdirSync(own('second'));
    expect(await onCentre(`${command} --directory=second`, token)).toMatchObject({ code: 0 });
    mkdirSync(own('third'));
    const again = await onCentre(`${command} --directory=third`, token);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('promgate: error: https://');
    expect(again.stderr).not.toContain(token);
    await poll('enrollment is closed', async () => (await gate.metrics()).includes('promgate_enrollment_open 0'));
    expect((await curl('--cacert', certs('ca.crt'), `${gate.url}/metrics`)).status).toBe(0);
  });

  it('renews its certificate with itself: nothing before it is due, then one file changes, and nobody restarts', async () => {
    const before = { crt: readFileSync(own('central.crt'), 'utf8'), key: readFileSync(own('central.key'), 'utf8') };
    const oldSerial = await serialOf(own('central.crt'));
    const early = await onCentre('promgate pki enroll central --renew');
    expect(early).toMatchObject({ code: 0, stdout: expect.stringContaining('it is renewed from') as string });
    expect(readFileSync(own('central.crt'), 'utf8')).toBe(before.crt);

    const renewed = await onCentre('promgate pki enroll central --renew --force');
    expect(renewed, renewed.stderr).toMatchObject({ code: 0 });
    expect(readFileSync(own('central.key'), 'utf8')).toBe(before.key);
    const newSerial = await serialOf(own('central.crt'));
    expect(newSerial).not.toBe(oldSerial);
    const states = (await listed()).filter(({ name }) => name === 'central');
    expect(states.map(({ serial, state }) => [serial, state]).sort()).toEqual(
      [
        [oldSerial, 'valid'],
        [newSerial, 'valid'],
      ].sort(),
    );
    // A connection belongs to the certificate of its handshake: without the old one there is a new handshake.
    await onSite('revoke', oldSerial);
    await poll('a scrape with the new certificate', () => gate.logs().includes(`certificate=${newSerial}`));
    await scraping().waitFor('up{job="site"} == 1');
  });

  it('is shut out once its name is revoked, and is not renewed any more', async () => {
    await onSite('revoke', 'central');
    await scraping().waitFor('up{job="site"} == 0');
    const refused = await onCentre('promgate pki enroll central --renew --force');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('promgate: error: https://');
    const states = (await listed()).filter(({ name }) => name === 'central');
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['revoked']));
  });

  it('gets one by hand too: the request is signed where the CA is', async () => {
    const asked = await onCentre('promgate pki enroll by-hand');
    expect(asked, asked.stderr).toMatchObject({ code: 0 });
    const sign = /^promgate pki sign .*$/m.exec(asked.stdout)?.[0] ?? '';
    await copyFile(own('by-hand.csr'), join(site.directory, 'by-hand.csr'));
    await onSite(...sign.replace('promgate pki ', '').split(' '));
    await copyFile(certs('by-hand.crt'), own('by-hand.crt'));
    const shown = ['--cacert', certs('ca.crt'), '--cert', own('by-hand.crt'), '--key', own('by-hand.key')];
    expect(await curl(...shown, `${gate.url}/metrics`)).toMatchObject({ status: 200 });
    const where = `--gate=${gate.url} --ca-file=${certs('ca.crt')}`;
    const renewed = await onCentre(`promgate pki enroll by-hand --renew --force ${where}`);
    expect(renewed, renewed.stderr).toMatchObject({ code: 0 });
    expect(await onCentre('promgate pki enroll by-hand --renew --force')).toMatchObject({ code: 0 });
    expect(await curl(...shown, `${gate.url}/metrics`)).toMatchObject({ status: 200 });
  });
});
