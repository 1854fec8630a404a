import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { holderOf } from '../../src/cli/pki/enrollment.ts';
import { askGate, parseFingerprint, parseGate } from '../../src/cli/pki/gate-client.ts';
import { readSigningRequest } from '../../src/tls/authority/signing-request.ts';
import { createPkiFixture } from './pki-fixture.ts';
import type { PkiFixture, Typed } from './pki-fixture.ts';
import { recordingTerminal } from './recording-terminal.ts';

let fixture: PkiFixture;
beforeEach(async () => {
  fixture = createPkiFixture();
  await fixture.pki({ action: 'init', name: 'fleet' });
});
afterEach(() => {
  fixture.remove();
});

const token = (changes: object = {}): Typed => ({
  action: 'token',
  name: 'central',
  minutes: 15,
  gate: null,
  ...changes,
});
const enroll = (changes: object = {}): Typed => ({
  action: 'enroll',
  directory: fixture.root,
  name: 'central',
  gate: null,
  caFingerprint: null,
  caFile: null,
  publicCa: false,
  ...changes,
});

const TOKENS = 'enrollment-tokens.json';

describe('pki token', () => {
  it('prints the whole command and the token, and keeps its hash', async () => {
    const { stdout } = await fixture.pki(token({ gate: 'https://gate.example.com:9095' }));
    const [when = '', command, says, text = ''] = (stdout[0] ?? '').split('\n');
    expect(when).toMatch(/^# on the host of the client, within 15 minutes \(until \d\d:\d\d UTC\):$/);
    const { fingerprint } = fixture.certificate('ca.crt');
    expect(command).toBe(
      `promgate pki enroll central --gate=https://gate.example.com:9095 --ca-fingerprint=${fingerprint}`,
    );
    expect(says).toBe('# it asks for this token, which is good for one certificate and is not shown again:');
    expect(text).toMatch(/^[0-9a-f]{32}$/);
    expect(fixture.text(TOKENS)).not.toContain(text);
    expect(JSON.parse(fixture.text(TOKENS))).toMatchObject({
      tokens: [{ name: 'central', sans: [{ type: 'dns', value: 'central' }], days: 90, purpose: 'clientAuth' }],
    });
  });

  it('counts one minute as one', async () => {
    expect((await fixture.pki(token({ minutes: 1 }))).stdout[0]).toContain('within 1 minute (until');
  });

  it('takes the address of the gate from the configuration beside it, and says what is missing there', async () => {
    await fixture.pki({ action: 'issue server', names: ['localhost', '127.0.0.1', 'gate.example.com'] });
    const tls = 'tls_server_config: {cert_file: certs/localhost.crt}\nlisten_addresses: [":9443"]\n';
    const config = join(fixture.root, 'promgate.yml');
    writeFileSync(config, tls);
    const before = await fixture.pki(token());
    expect(before.stdout[0]).toContain(' --gate=https://gate.example.com:9443 ');
    expect(before.stderr).toEqual([
      `promgate: warning: a gate takes the token only with a section enrollment in ${config}:`,
      `promgate: hint: enrollment: { authority: ${JSON.stringify(fixture.directory)} }`,
    ]);
    writeFileSync(config, `${tls}enrollment: {}\n`);
    expect((await fixture.pki(token())).stderr).toEqual([]);
    writeFileSync(config, 'enrollment: {}\nacme: {domains: [gate.example.com]}\n');
    expect((await fixture.pki(token())).stdout[0]).toContain(' --public-ca\n');
  });

  it('tells that the gate shows a certificate of another CA', async () => {
    const other = createPkiFixture();
    try {
      await other.pki({ action: 'init', name: 'other' });
      await other.pki({ action: 'issue server', names: ['gate.example.com'] });
      const cert = JSON.stringify(other.path('gate.example.com.crt'));
      writeFileSync(join(fixture.root, 'promgate.yml'), `tls_server_config: {cert_file: ${cert}}\nenrollment: {}\n`);
      const { stderr } = await fixture.pki(token());
      expect(stderr[0]).toBe('promgate: warning: the gate shows a certificate of another CA than this one');
    } finally {
      other.remove();
    }
  });

  it('is for a server with names under which a server can be reached, and says where its renewal is off', async () => {
    const config = join(fixture.root, 'promgate.yml');
    writeFileSync(config, 'enrollment: {}\n');
    const server = token({ name: 'site-a.example.com', server: true });
    const { stdout, stderr } = await fixture.pki(server);
    expect(stdout[0]).toMatch(/^# on the host of the server, .*\npromgate pki enroll site-a\.example\.com --gate=/);
    expect(stderr[0]).toContain('the gate does not renew server certificates');
    expect(JSON.parse(fixture.text(TOKENS))).toMatchObject({
      tokens: [{ sans: [{ type: 'dns', value: 'site-a.example.com' }], purpose: 'serverAuth' }],
    });
    writeFileSync(config, 'enrollment: {renew_servers: true}\n');
    const sans = ['dns:site-a.example.com', 'ip:10.1.2.3'];
    expect((await fixture.pki({ ...server, name: 'site-a', sans } as Typed)).stderr).toEqual([]);
    expect(JSON.parse(fixture.text(TOKENS))).toMatchObject({
      tokens: [{}, { sans: [{}, { type: 'ip', value: '10.1.2.3' }] }],
    });
    for (const bad of [['uri:spiffe://a/b'], ['email:a@example.com']]) {
      const { code, text } = await fixture.refusal({ ...server, sans: bad } as Typed);
      expect([code, text]).toEqual(['USAGE', expect.stringContaining('--san=dns:NAME')]);
    }
    expect((await fixture.refusal(token({ name: 'a@b', server: true }))).text).toContain('neither a DNS name nor');
  });

  it('is refused where the gate could not sign, and writes nothing', async () => {
    const locked = createPkiFixture();
    try {
      locked.typed = ['a long passphrase'];
      await locked.pki({ action: 'init', name: 'locked', passphrase: true });
      const { code, text } = await locked.refusal(token());
      expect(code).toBe('AUTHORITY_REFUSED');
      expect(text).toContain('ca.key has a passphrase: a gate cannot sign with it, so a token is of no use');
      expect(text).toContain('promgate pki sign');
      expect(locked.has(TOKENS)).toBe(false);
    } finally {
      locked.remove();
    }
  });

  it('is refused for names that the CA would not sign when the token comes', async () => {
    const narrow = createPkiFixture();
    try {
      await narrow.pki({ action: 'init', name: 'narrow', permitDns: ['example.com'] });
      expect((await narrow.refusal(token({ sans: ['dns:central.example.org'] }))).text).toContain('do not permit dns');
      expect((await narrow.refusal(token({ name: 'ca' }))).code).toBe('USAGE');
      expect(narrow.has(TOKENS)).toBe(false);
    } finally {
      narrow.remove();
    }
  });

  it('is cancelled by its name, once', async () => {
    await fixture.pki(token());
    expect((await fixture.pki(token({ action: 'cancel token' }))).all()).toBe('cancelled the token for "central"');
    expect((await fixture.refusal(token({ action: 'cancel token' }))).text).toContain(
      'no token for "central" is pending',
    );
  });
});

describe('pki enroll without a gate', () => {
  it('makes a private key and a request, and prints the command that signs it', async () => {
    const { stdout } = await fixture.pki(enroll());
    const at = (name: string): string => join(fixture.root, name);
    expect(fixture.mode('../central.key')).toBe(0o600);
    await readSigningRequest(readFileSync(at('central.csr'), 'utf8'));
    expect(stdout[0]).toContain('promgate pki sign central.csr --name=central\n');
    await fixture.pki({ action: 'sign', request: at('central.csr'), name: 'central' });
    writeFileSync(at('central.crt'), fixture.text('central.crt'));
    const { code, text } = await fixture.refusal(enroll());
    expect(code).toBe('FILE_UNSAFE');
    expect(text).toContain('--renew');
  });

  it('keeps the key of an attempt before', async () => {
    await fixture.pki(enroll());
    const key = readFileSync(join(fixture.root, 'central.key'), 'utf8');
    expect((await fixture.pki(enroll())).all()).toContain('which was there already');
    expect(readFileSync(join(fixture.root, 'central.key'), 'utf8')).toBe(key);
  });
});

describe('pki enroll --renew', () => {
  const renew = (changes: object = {}): Typed => ({
    action: 'renew enrolled',
    name: 'central',
    gate: null,
    caFile: null,
    publicCa: false,
    force: false,
    ...changes,
  });

  it('does nothing before a third of the life is left', async () => {
    await fixture.pki({ action: 'issue client', name: 'central' });
    fixture.clock.advance(59 * 86_400_000);
    expect((await fixture.pki(renew())).all()).toMatch(/^"central" is valid until .*; it is renewed from .* on$/);
    fixture.clock.advance(2 * 86_400_000);
    expect((await fixture.refusal(renew())).text).toContain('nothing tells from which gate');
  });

  it('does not ask with what has ended, is damaged, or does not fit', async () => {
    expect((await fixture.refusal(renew())).text).toContain('central.crt does not exist');
    await fixture.pki({ action: 'issue client', name: 'central' });
    await fixture.pki({ action: 'issue client', name: 'other' });
    const key = fixture.text('central.key');
    fixture.write('central.key', fixture.text('other.key'));
    expect((await fixture.refusal(renew())).text).toContain('does not belong to the certificate');
    fixture.write('central.key', key);
    fixture.write('central.enrollment.json', '{"version": 1');
    expect((await fixture.refusal(renew({ force: true }))).text).toContain('central.enrollment.json is damaged');
    fixture.clock.advance(91 * 86_400_000);
    expect((await fixture.refusal(renew({ force: true }))).text).toContain('has ended');
  });
});

describe('pki renew on the host of a client', () => {
  it.each(['central.enrollment.json', 'central.ca.crt'])('hints at `pki enroll` where %s is', async (name) => {
    const renew = { action: 'renew', name: 'central', directory: fixture.root } as const;
    expect((await fixture.refusal(renew)).text).toContain('`promgate pki init` makes one');
    writeFileSync(join(fixture.root, name), '{}');
    const { text } = await fixture.refusal(renew);
    expect(text).toContain(`\`promgate pki enroll central --renew --directory=${fixture.root}\``);
    expect(text).not.toContain('pki init');
  });
});

describe('what an enrolled client is told', () => {
  it('is the name of the certificate, with its kinds of names', async () => {
    const sans = ['dns:central.example.com', 'ip:10.0.0.1', 'email:a@example.com', 'uri:spiffe://x/y'];
    await fixture.pki({ action: 'issue client', name: 'central', sans });
    expect(holderOf(fixture.certificate('central.crt'))).toBe(
      '"central" (DNS:central.example.com, IP:10.0.0.1, email:a@example.com, URI:spiffe://x/y)',
    );
  });

  it('of a gate that is of another CA: in a renewal that the CA may be a new one', async () => {
    await fixture.pki({ action: 'issue server', names: ['localhost', '127.0.0.1'] });
    const server = createServer({ cert: fixture.text('localhost.crt'), key: fixture.text('localhost.key') });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const other = createPkiFixture();
    try {
      await other.pki({ action: 'init', name: 'other' });
      await other.pki({ action: 'issue client', name: 'central' });
      const gate = parseGate(`https://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
      const call = { ca: other.text('ca.crt'), caFile: 'central.ca.crt', request: '' };
      const client = { cert: other.text('central.crt'), key: other.text('central.key') };
      const hint = 'was the CA rotated? put its new ca.crt in the place of central.ca.crt';
      await expect(askGate(gate, { ...call, client, isRenewal: true })).rejects.toMatchObject({
        hint: expect.stringContaining(hint) as string,
      });
      await expect(askGate(gate, call)).rejects.not.toMatchObject({ hint: expect.stringContaining(hint) as string });
      server.on('secureConnection', (socket) => socket.destroy());
      const known = { ca: fixture.text('ca.crt'), request: '', isRenewal: true };
      await expect(askGate(gate, { ...known, client })).rejects.toMatchObject({
        hint: expect.stringContaining('the certificate was revoked or has ended') as string,
      });
      await expect(askGate(gate, known)).rejects.toMatchObject({
        hint: expect.stringContaining('renew_servers: true') as string,
      });
    } finally {
      other.remove();
      server.close();
    }
  });
});

describe('the command line', () => {
  it.each([
    ['--force without --renew', ['--force']],
    ['a fingerprint without a gate', ['--ca-fingerprint=ab']],
    ['a gate without a fingerprint', ['--gate=https://localhost:1']],
    ['a fingerprint for a renewal', ['--renew', '--ca-fingerprint=ab']],
    ['two ways to verify', ['--gate=https://localhost:1', '--ca-file=x', '--public-ca']],
  ])('refuses %s as wrong usage', async (_what, argv) => {
    const terminal = recordingTerminal();
    expect(await main(['pki', 'enroll', 'central', `--directory=${fixture.root}`, ...argv], terminal)).toBe(2);
    expect(terminal.all()).toMatch(/^promgate: error: --/);
  });

  it.each(['0', '61', 'ten'])('refuses a token for %s minutes', async (minutes) => {
    const terminal = recordingTerminal();
    const argv = ['pki', 'token', 'central', `--directory=${fixture.directory}`, `--minutes=${minutes}`];
    expect(await main(argv, terminal)).toBe(2);
    expect(terminal.all()).toContain('expected a whole number from 1 to 60');
    expect(fixture.has(TOKENS)).toBe(false);
  });

  it('reads gates and fingerprints in the forms in which they are written', () => {
    expect(parseGate('https://gate.example.com')).toEqual({
      url: 'https://gate.example.com',
      host: 'gate.example.com',
      port: 443,
    });
    expect(parseGate('https://[::1]:9095/')).toMatchObject({ host: '::1', port: 9095 });
    const hex = 'AB'.repeat(32);
    for (const written of [hex, hex.toLowerCase(), hex.replace(/(..)(?=.)/g, '$1:'), `sha256:${hex}`]) {
      expect(parseFingerprint(written)).toBe(hex);
    }
  });
});
