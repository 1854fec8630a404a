/**
 * A gate that starts with nothing gets its certificate from a real Pebble and serves it without a restart; it is renewed
 * on request, another one is obtained when the configuration changes, and the CA is not needed to start again.
 */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempts, awaitIssued, httpChallenge, NAME, served, startAcmeGate } from '../support/acme-gate.ts';
import { startGate, type Gate } from '../support/gate.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { poll } from '../support/poll.ts';
import { runProcess, startProcess } from '../support/processes.ts';
import { findProgram } from '../support/programs.ts';
import { htpasswdLine, PASSWORD, USER } from '../support/scene.ts';

const MAIN = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url));

describe('a gate that starts without a certificate', () => {
  let pebble: Pebble;
  let gate: Gate;
  beforeAll(async () => {
    pebble = await startPebble();
    gate = await startAcmeGate({ directory: pebble.directory, challenge: httpChallenge(pebble.httpPort) });
  });
  afterAll(async () => {
    await gate.stop();
    await pebble.stop();
  });

  it('obtains one by http-01 and serves it without a restart, for its name and its address', async () => {
    const certificate = await awaitIssued(gate);
    expect(certificate.checkHost(NAME)).toBe(NAME);
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(gate.logs()).toContain('a self-signed one stands in');
    await poll('the CA was asked when it wants it renewed', () =>
      gate.logs().includes('the CA suggests when to renew'),
    );
    expect(await attempts(gate, 'issued')).toBe(1);
    const metrics = await gate.metrics();
    expect(metrics).toContain(`promgate_acme_self_signed{name="${NAME}"} 0`);
    const notAfter = /promgate_certificate_not_after_timestamp_seconds\{name="gate\.example\.com"\} (\d+)/.exec(
      metrics,
    );
    expect(Number(notAfter?.[1]) * 1000).toBe(Date.parse(certificate.validTo));
  });

  it('renews it on request, step by step, while a client keeps its connection', async () => {
    const first = await awaitIssued(gate);
    const root = await pebble.root();
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: root, servername: NAME });
    const sockets = new Set<unknown>();
    const ask = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const request = get({ host: '127.0.0.1', port: gate.port, path: '/metrics', agent }, (response) => {
          response.resume();
          response.on('end', () => {
            resolve(response.statusCode ?? 0);
          });
        });
        request.on('socket', (socket) => sockets.add(socket));
        request.on('error', reject);
      });
    expect(await ask()).toBe(200);
    const renewed = await gate.command('cert', 'renew');
    const steps = renewed.stdout.trimEnd().split('\n');
    expect(renewed.stdout).toMatch(/^order .*^challenge .*^validation .*^issue .*^issued .*^swap /ms);
    // Not a terminal: plain lines, nothing that writes over them.
    for (const character of '\r\u001b') expect(renewed.stdout).not.toContain(character);
    for (const step of steps) expect(step).toMatch(/^[a-z]+ +\S/);
    expect(renewed.code).toBe(0);
    // The swap is done when the command says so.
    const second = await served(gate.port);
    expect(second.serialNumber).not.toBe(first.serialNumber);
    expect(await ask()).toBe(200);
    expect(sockets.size).toBe(1);
    agent.destroy();
  });

  it('shows the steps of a renewal on a terminal in one line that it writes over', async () => {
    const command = `${process.execPath} ${MAIN} cert renew --config.file=${gate.configFile}`;
    const { code, stdout } = await runProcess(findProgram('script'), ['-qec', command, '/dev/null'], {
      cwd: gate.directory,
    });
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/\r\[#{2}-{5}\] order +gate\.example\.com, 127\.0\.0\.1/);
    expect(stdout).toMatch(/\r\[#{4}-{3}\] validation +the CA looks at/);
    // What came of it stays.
    const lines = stdout.split(/\r?\n/).map((line) => line.split('\r').at(-1));
    expect(lines.filter((line) => line !== '')).toEqual([
      expect.stringMatching(/^issued +by CN=Pebble/),
      expect.stringMatching(/^swap +new connections get the new certificate/),
    ]);
  });

  it('says in cert status what it has, where from, why and what is next', async () => {
    const json = await gate.command('cert', 'status', '--output=json');
    expect(json.code).toBe(0);
    const { running, certificates } = JSON.parse(json.stdout) as {
      running: boolean;
      certificates: { name: string; source: string; next: unknown; last_error: unknown }[];
    };
    expect(running).toBe(true);
    expect(certificates).toHaveLength(1);
    expect(certificates[0]).toMatchObject({
      name: NAME,
      names: [NAME, '127.0.0.1'],
      issued: { why: 'renewed because it was asked for' },
      last_error: null,
    });
    expect(certificates[0]?.source).toMatch(/^acme, /);
    expect(certificates[0]?.next).not.toBe(null);
    const table = await gate.command('cert', 'status');
    expect(table.stdout).toMatch(/certificate gate\.example\.com\n.*issuer +CN=Pebble/s);
    expect(table.stdout).toMatch(/ends +\[#{10}\] 89 days left/);
  });

  it('keeps keys to itself: 0600 in a directory of 0700, and none in the log', async () => {
    const directory = join(gate.directory, 'acme');
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    const files = await readdir(directory);
    expect(files.some((file) => file.endsWith('.pair.json'))).toBe(true);
    for (const file of files) expect((await stat(join(directory, file))).mode & 0o777, file).toBe(0o600);
    expect(gate.logs()).not.toContain('PRIVATE KEY');
  });

  it('serves what it kept when it starts while the CA is down, and says what the CA does', async () => {
    const before = await served(gate.port);
    await gate.process.stop();
    await pebble.process.kill();
    const again = startProcess(process.execPath, [MAIN, 'run', `--config.file=${gate.configFile}`], {
      cwd: gate.directory,
    });
    try {
      const after = await poll('the gate serves again', () => served(gate.port), { deadlineMs: 20_000 });
      expect(after.serialNumber).toBe(before.serialNumber);
      const renewed = await gate.command('cert', 'renew');
      expect(renewed.code).toBe(1);
      expect(renewed.stderr).toContain('ECONNREFUSED');
      expect(await attempts(gate, 'unreachable')).toBe(1);
      expect(again.output()).toContain('no certificate was issued');
      expect((await served(gate.port)).serialNumber).toBe(before.serialNumber);
      expect((await gate.command('cert', 'status')).stdout).toMatch(/last error .*127\.0\.0\.1/);
    } finally {
      await again.stop();
    }
  });
});

describe('tls-alpn-01', () => {
  let pebble: Pebble;
  let gate: Gate;
  beforeAll(async () => {
    pebble = await startPebble();
    const own = `["127.0.0.1:${pebble.tlsPort}"]`;
    gate = await startGate({
      files: { 'pebble-ca.crt': pebble.directory.ca ?? '', '.htpasswd': await htpasswdLine(USER, PASSWORD) },
      config: ({ adminPort }) => `
listen_addresses: ${own}
admin_address: 127.0.0.1:${adminPort}
acme:
  directory_url: ${pebble.directory.url}
  ca_file: pebble-ca.crt
  domains: [${NAME}, 127.0.0.1]
  challenge: {type: tls-alpn-01}
allow: [127.0.0.9]
htpasswd_file: .htpasswd
upstreams: [{url: self}]
`,
    });
  });
  afterAll(async () => {
    await gate.stop();
    await pebble.stop();
  });

  const from = (localAddress: string): Promise<string> =>
    new Promise((resolve) => {
      const port = pebble.tlsPort;
      const options = { host: '127.0.0.1', port, localAddress, servername: NAME, rejectUnauthorized: false };
      const socket = connect(options, () => {
        resolve(socket.getPeerX509Certificate()?.issuer ?? '');
        socket.destroy();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? 'error');
      });
    });

  it('is answered on the port of the gate, for a CA that allow does not know', async () => {
    const issuer = await poll(
      'a certificate',
      async () => {
        const text = await from('127.0.0.9');
        return text.includes('Pebble') && text;
      },
      { deadlineMs: 60_000, everyMs: 100 },
    ).catch((error: unknown) => {
      throw new Error(gate.logs(), { cause: error });
    });
    expect(issuer).toContain('Pebble');
    expect(gate.logs()).toContain('certificate issued');
  });

  it('lets nobody else in from there', async () => {
    expect(await from('127.0.0.1')).toBe('ECONNRESET');
    expect(await gate.metrics()).toMatch(/promgate_refused_total\{reason="address_denied"\} [1-9]/);
  });
});

describe('a changed acme section', () => {
  let pebble: Pebble;
  let gate: Gate;
  beforeAll(async () => {
    pebble = await startPebble();
    gate = await startAcmeGate({ directory: pebble.directory, challenge: httpChallenge(pebble.httpPort) });
  });
  afterAll(async () => {
    await gate.stop();
    await pebble.stop();
  });

  /** Changes the file, reloads, and gives the certificate that takes the place of the one before, with what was served meanwhile. */
  const change = async (from: string | RegExp, to: string) => {
    const before = await awaitIssued(gate);
    const text = await readFile(gate.configFile, 'utf8');
    expect(text).toMatch(from);
    await writeFile(gate.configFile, text.replace(from, to));
    // The CA hangs for a moment: what is served meanwhile can be seen.
    pebble.process.signal('SIGSTOP');
    let meanwhile;
    try {
      expect((await gate.command('reload')).code).toBe(0);
      meanwhile = await served(gate.port);
    } finally {
      pebble.process.signal('SIGCONT');
    }
    expect(meanwhile.serialNumber).toBe(before.serialNumber);
    return awaitIssued(gate, before.serialNumber);
  };

  it('brings a certificate with the new names, though the first one has changed', async () => {
    const certificate = await change(`[${NAME}, 127.0.0.1]`, `[other.example.com, ${NAME}]`);
    expect(certificate.checkHost('other.example.com')).toBe('other.example.com');
    expect(gate.logs()).toContain('because="other names are wanted"');
  });

  it('brings one over a key of the new type', async () => {
    const certificate = await change('  profile: default\n', '  profile: default\n  key_type: p384\n');
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('secp384r1');
    expect(gate.logs()).toContain('because="another type of key is wanted"');
  });

  it('brings one of the new profile', async () => {
    const certificate = await change('profile: default', 'profile: shortlived');
    const days = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 86_400_000;
    expect(Math.round(days)).toBe(6);
    expect(gate.logs()).toContain('because="another profile is wanted"');
  });

  it('brings a new address to the CA with the next order, and does not order for it', async () => {
    const before = await served(gate.port);
    const text = await readFile(gate.configFile, 'utf8');
    await writeFile(gate.configFile, text.replace('acme:\n', 'acme:\n  email: ops@example.com\n'));
    expect((await gate.command('reload')).code).toBe(0);
    expect((await served(gate.port)).serialNumber).toBe(before.serialNumber);
    const renewed = await gate.command('cert', 'renew');
    expect(renewed.stdout).toMatch(/^account +the contact of the account at .* was brought up to date$/m);
  });

  it('that cannot work leaves the old one', async () => {
    const before = await served(gate.port);
    const text = await readFile(gate.configFile, 'utf8');
    await writeFile(gate.configFile, text.replace('acme:\n', 'acme:\n  state_dir: /dev/null/acme\n'));
    expect((await gate.command('reload')).code).toBe(1);
    expect((await served(gate.port)).serialNumber).toBe(before.serialNumber);
  });
});
