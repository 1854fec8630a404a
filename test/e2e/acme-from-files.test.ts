/**
 * A gate that has a valid certificate in files is moved to ACME while the CA does not answer: the old certificate is
 * served until the new one is there, after a reload and after a restart. What a dry run tries is what the named file says.
 */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { awaitIssued, httpChallenge, NAME, served } from '../support/acme-gate.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { startGate, type Gate } from '../support/gate.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';

let authority: Authority;
let pebble: Pebble;
let gate: Gate;

beforeEach(async () => {
  authority = createAuthority();
  pebble = await startPebble();
});
afterEach(async () => {
  await gate.stop();
  await pebble.stop();
  authority.remove();
});

const FILES = 'tls_server_config: {cert_file: server.crt, key_file: server.key}';
const acme = (domains = `[${NAME}]`): string => `
acme:
  directory_url: ${pebble.directory.url}
  ca_file: ca-of-acme.crt
  domains: ${domains}
  challenge: ${httpChallenge(pebble.httpPort)}`;

/** @param keyType Pebble's certificate has an EC key. */
async function start(section: string, keyType: 'ec' | 'rsa' = 'ec'): Promise<string> {
  const { cert, key } = authority.issue({ name: NAME, sans: [`DNS:${NAME}`], keyType });
  gate = await startGate({
    files: { 'server.crt': cert, 'server.key': key, 'ca-of-acme.crt': pebble.directory.ca ?? '' },
    config: ({ port, adminPort }) => `listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
upstreams: [{url: self, path_prefix: /}]
authenticate: none
${section}
`,
  });
  return (await served(gate.port)).serialNumber;
}

async function rewrite(from: string, to: string): Promise<void> {
  const text = await readFile(gate.configFile, 'utf8');
  expect(text).toContain(from);
  await writeFile(gate.configFile, text.replace(from, to));
}

it.each(['ec', 'rsa'] as const)(
  'keeps the running certificate (%s) from a reload to the first of the CA',
  async (type) => {
    const old = await start(FILES, type);
    pebble.process.signal('SIGSTOP');
    try {
      await rewrite(FILES, acme());
      expect(await gate.command('reload')).toMatchObject({ code: 0 });
      expect((await served(gate.port)).serialNumber).toBe(old);
      expect(await gate.metrics()).toContain(`promgate_acme_self_signed{name="${NAME}"} 0`);
      const status = await gate.command('cert', 'status');
      expect(status.stdout).toContain('server.crt until the CA issues one');
      // Another reload, for another reason.
      await rewrite('authenticate: none', 'authenticate: none\naccess_log: false');
      expect(await gate.command('reload')).toMatchObject({ code: 0 });
      expect((await served(gate.port)).serialNumber).toBe(old);
    } finally {
      pebble.process.signal('SIGCONT');
    }
    await awaitIssued(gate, old);
  },
);

it('serves the certificate of files that stand beside acme from a start on, until the CA has issued', async () => {
  pebble.process.signal('SIGSTOP');
  let old;
  try {
    old = await start(`${FILES}${acme()}`);
    expect((await served(gate.port)).issuer).toContain('Test CA');
    const check = await gate.command('check');
    expect(check).toMatchObject({ code: 0 });
  } finally {
    pebble.process.signal('SIGCONT');
  }
  const issued = await awaitIssued(gate, old);
  // From now on the files are of no use, and their loss is no fault.
  await rewrite('server.crt', 'gone.crt');
  const check = await gate.command('check');
  expect(check.code).toBe(0);
  expect(check.stdout + check.stderr).toMatch(/warning: .*gone\.crt/);
  expect(await gate.command('reload')).toMatchObject({ code: 0 });
  expect((await served(gate.port)).serialNumber).toBe(issued.serialNumber);
});

it('does not keep what has other names, and says in check that such a file is not served', async () => {
  const old = await start(FILES);
  pebble.process.signal('SIGSTOP');
  try {
    await rewrite(FILES, `${FILES}${acme('[other.example.com]')}`);
    const check = await gate.command('check');
    expect(check.stdout + check.stderr).toContain('has no name of acme: it is not served');
    expect(await gate.command('reload')).toMatchObject({ code: 0 });
    expect((await served(gate.port)).serialNumber).not.toBe(old);
    expect(gate.logs()).toContain('a self-signed one stands in');
  } finally {
    pebble.process.signal('SIGCONT');
  }
});

it('tries the file that is named in a dry run, not what the running gate has', async () => {
  await start(acme());
  await awaitIssued(gate);
  const other = join(gate.directory, 'other');
  await mkdir(other);
  await copyFile(join(gate.directory, 'ca-of-acme.crt'), join(other, 'ca-of-acme.crt'));
  const text = await readFile(gate.configFile, 'utf8');
  await writeFile(join(other, 'promgate.yml'), text.replace(`[${NAME}]`, '[other.example.com]'));
  const tried = await gate.command('cert', 'renew', '--dry-run', `--config.file=${join(other, 'promgate.yml')}`);
  expect(tried.stdout).toContain('would order other.example.com');
  expect(tried.stderr).toContain('nothing was asked, and nothing is proved');
  expect(tried.code).toBe(1);
  // The same for the file of the gate, of which a change was not reloaded yet.
  await writeFile(gate.configFile, text.replace(`[${NAME}]`, `[changed.example.com, ${NAME}]`));
  const changed = await gate.command('cert', 'renew', '--dry-run');
  expect(changed.stdout).toContain('would order changed.example.com');
  // And a file with errors is not tried at all, whoever runs.
  await writeFile(gate.configFile, text.replace('domains', 'domians'));
  const broken = await gate.command('cert', 'renew', '--dry-run');
  expect(broken.code).toBe(1);
  expect(broken.stderr).toContain('domians');
});

it('says of a dry run through the running gate too that nothing was asked, as a failure', async () => {
  await start(acme());
  await awaitIssued(gate);
  const tried = await gate.command('cert', 'renew', '--dry-run');
  expect(tried.stdout).toContain(`would order ${NAME}`);
  expect(tried.stderr).toContain('nothing was asked, and nothing is proved');
  expect(tried.code).toBe(1);
});
