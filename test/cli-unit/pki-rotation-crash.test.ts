/** `kill -9` between any two changes of a rotation: what is there works as it stands, and the command goes on. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type * as Files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { pkiCommand } from '../../src/cli/commands/pki.ts';
import type { PkiAction } from '../../src/cli/commands/pki.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseCrls } from '../../src/formats/crl.ts';
import { keyMatches, parseCertificates } from '../../src/formats/x509.ts';
import type { CertificateInfo } from '../../src/formats/x509.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { readAuthority } from '../../src/tls/authority/authority-directory.ts';
import { issuerAmong } from '../../src/tls/authority/issuer.ts';
import type { Crash } from '../tls/authority/crashing-files.ts';
import { recordingTerminal } from './recording-terminal.ts';

const crash = vi.hoisted((): Crash => ({ left: null, isOver: false, changes: [] }));
vi.mock('node:fs/promises', async (original) => {
  const { crashingFiles } = await import('../tls/authority/crashing-files.ts');
  return crashingFiles(await original<typeof Files>(), crash);
});

type Step = 'prepare' | 'reissue' | 'finish';
const STEPS: readonly Step[] = ['prepare', 'reissue', 'finish'];
const CONFIG = `
listen_addresses: ["127.0.0.1:0"]
authenticate: certificate
tls_server_config:
  cert_file: certs/site.example.com.crt
  key_file: certs/site.example.com.key
  client_ca_file: certs/ca.crt
  client_crl_files: [certs/ca.crl]
upstreams: [{url: self, kind: exporter}]
`;

/** How it was before each step. */
const before = new Map<Step, string>();
let root: string;
let shift = 0;
/** The serial number of a certificate that was revoked before. */
let stolen: string;
/** Every attempt begins after the lock of the one that died has grown old. */
const clock = { ...systemClock, now: () => systemClock.now() + shift };

async function pki(action: Partial<PkiAction> & Pick<PkiAction, 'action'>): Promise<number> {
  const defaults = {
    directory: join(root, 'certs'),
    days: null,
    keyType: 'p256',
    sans: [],
    permitDns: [],
    permitIp: [],
  };
  const input = { isTerminal: false, read: () => Promise.resolve('') };
  return pkiCommand({ ...defaults, ...action } as PkiAction, recordingTerminal(), { clock, hostName: 'centre', input });
}

const rotate = (step: Step): Promise<number> => pki({ action: 'rotate', step, force: true, admin: [], configFile: '' });

function restart(from: string): void {
  rmSync(root, { recursive: true, force: true });
  cpSync(from, root, { recursive: true });
  Object.assign(crash, { left: null, isOver: false });
}

const text = (name: string): string => readFileSync(join(root, 'certs', name), 'utf8');

function leafOf(name: string): CertificateInfo {
  const certificates = parseCertificates(text(name));
  const [leaf] = certificates.ok ? certificates.value : [];
  if (leaf === undefined) throw new Error(`no certificate in ${name}`);
  return leaf;
}

async function expectWorking(when: string): Promise<void> {
  const authority = await readAuthority(join(root, 'certs'));
  expect(authority?.key.kind, when).toBe('ready');
  for (const name of ['site.example.com', 'central']) {
    expect(keyMatches(text(`${name}.crt`), text(`${name}.key`)), `${name}, ${when}`).toMatchObject({ ok: true });
    expect(leafOf(`${name}.chain.crt`).serial, when).toBe(leafOf(`${name}.crt`).serial);
    expect(authority === null ? null : issuerAmong(authority, leafOf(`${name}.crt`)), when).not.toBeNull();
  }
  const loaded = await loadConfig(join(root, 'promgate.yml'), { generation: 1 });
  expect(
    loaded.problems.filter(({ severity }) => severity === 'error'),
    when,
  ).toEqual([]);
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'promgate-crash-'));
  await pki({ action: 'init', name: 'fleet', passphrase: false });
  await pki({ action: 'issue server', names: ['site.example.com'] });
  await pki({ action: 'issue client', name: 'central' });
  await pki({ action: 'issue client', name: 'stolen' });
  stolen = leafOf('stolen.crt').serial;
  await pki({ action: 'revoke', target: 'stolen', reason: 'keyCompromise' });
  writeFileSync(join(root, 'promgate.yml'), CONFIG, { mode: 0o600 });
  for (const step of STEPS) {
    const kept = mkdtempSync(join(tmpdir(), 'promgate-crash-'));
    cpSync(root, kept, { recursive: true });
    before.set(step, kept);
    expect(await rotate(step)).toBe(0);
  }
});
afterEach(() => {
  Object.assign(crash, { left: null, isOver: false });
});
afterAll(() => {
  for (const directory of [root, ...before.values()]) rmSync(directory, { recursive: true, force: true });
});

describe('a rotation that is killed', () => {
  it.each(STEPS)('in step %s leaves what works, and goes on', { timeout: 120_000 }, async (step) => {
    const from = before.get(step) ?? '';
    let changes = 0;
    // Of what changes together every change is tried in replace-together.test.ts.
    for (let at = 0; ; at += step === 'reissue' ? 4 : 1) {
      restart(from);
      crash.left = at;
      const ended = await rotate(step).catch((error: unknown) => error);
      const hasCrashed = crash.isOver;
      Object.assign(crash, { left: null, isOver: false });
      const when = `${step} after ${String(at)} changes`;
      if (!hasCrashed) {
        expect(ended, when).toBe(0);
        break;
      }
      changes = at + 1;
      await expectWorking(when);
      shift += 60_000;
      expect(await rotate(step).catch((error: unknown) => error), `again, ${when}`).toBe(0);
      await expectWorking(`again, ${when}`);
      const generations = text('ca.crt').match(/BEGIN CERTIFICATE/g) ?? [];
      expect(generations, when).toHaveLength(step === 'finish' ? 1 : 2);
      expect(text('ca.key').match(/BEGIN PRIVATE KEY/g), when).toHaveLength(generations.length);
      expect(text('ca.crl').match(/BEGIN X509 CRL/g), when).toHaveLength(generations.length);
      expect(leafOf('central.crt').issuer, when).toBe(
        step === 'prepare' ? 'O=promgate, CN=promgate CA fleet' : 'O=promgate, CN=promgate CA fleet G2',
      );
    }
    expect(changes).toBeGreaterThan(15);
  });

  it('never forgets a revocation of a CA that is still trusted', { timeout: 120_000 }, async () => {
    const lost: number[] = [];
    for (let at = 0; ; at += 1) {
      restart(before.get('finish') ?? '');
      crash.left = at;
      await rotate('finish').catch(() => undefined);
      const hasCrashed = crash.isOver;
      Object.assign(crash, { left: null, isOver: false });
      if (!hasCrashed) break;
      shift += 60_000;
      expect(await pki({ action: 'crl', restored: false })).toBe(0);
      const isTrusted = text('ca.crt').match(/BEGIN CERTIFICATE/g)?.length === 2;
      const lists = parseCrls(text('ca.crl'));
      const isListed = lists.ok && lists.value.some(({ revoked }) => revoked.has(stolen));
      if (isTrusted && !isListed) lost.push(at);
    }
    expect(lost).toEqual([]);
  });
});
