/** The revocation list that `init` makes: without one `pki revoke` would shut nobody out. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pkiCommand } from '../../src/cli/commands/pki.ts';
import type { PkiAction } from '../../src/cli/commands/pki.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseCrls } from '../../src/formats/crl.ts';
import type { Crl } from '../../src/formats/crl.ts';
import { createInitFixture, DAY_MS } from './init-fixture.ts';
import type { InitFixture } from './init-fixture.ts';
import { recordingTerminal } from './recording-terminal.ts';
import type { RecordingTerminal } from './recording-terminal.ts';

const KEY = 'client_crl_files: [certs/ca.crl]';

let f: InitFixture;

beforeEach(() => {
  f = createInitFixture();
});
afterEach(() => {
  f.remove();
});

function list(): Crl {
  const crls = parseCrls(f.text('certs/ca.crl'));
  const [first] = crls.ok ? crls.value : [];
  if (first === undefined) throw new Error('no list');
  return first;
}

async function pki(action: Record<string, unknown>): Promise<{ code: number; terminal: RecordingTerminal }> {
  const terminal = recordingTerminal();
  const input = { isTerminal: false, read: () => Promise.resolve('') };
  const complete = { directory: f.path('certs'), reason: 'unspecified', ...action } as unknown as PkiAction;
  return { code: await pkiCommand(complete, terminal, { clock: f.clock, hostName: 'site-a', input }), terminal };
}

const initPki = () => pki({ action: 'init', name: null, permitDns: [], permitIp: [], passphrase: false });

/** As an `init` of before left it. */
function withoutList(): void {
  rmSync(f.path('certs/ca.crl'));
  rmSync(f.path('certs/ca-index.json'));
  writeFileSync(f.path('promgate.yml'), f.text('promgate.yml').replace(KEY, ''));
}

describe('a first run', () => {
  it('makes an empty list as `pki init` does, and names it', async () => {
    await f.init();
    expect(list()).toMatchObject({ number: 1n, revoked: new Set() });
    expect((list().nextUpdate ?? 0) - list().thisUpdate).toBe(30 * DAY_MS);
    expect(f.text('promgate.yml')).toContain(`\n  ${KEY}\n`);
    const { code, terminal } = await pki({ action: 'revoke', target: 'prometheus' });
    expect(code).toBe(0);
    expect(terminal.stderr.join('\n')).not.toContain('does not name');
    expect(list().revoked).toEqual(new Set([f.certificate('prometheus').serial]));
  });

  it('after `pki init` names the list that is there and leaves it as it is', async () => {
    await initPki();
    const before = f.snapshot();
    expect((await f.init()).code).toBe(0);
    expect(f.snapshot()).toMatchObject(before);
    expect(f.text('promgate.yml')).toContain(KEY);
    const loaded = await loadConfig(f.path('promgate.yml'), { generation: 1, clock: f.clock });
    expect(loaded.problems).toEqual([]);
  });

  it('names no list where the CA is here without its key and has none', async () => {
    await f.init();
    withoutList();
    rmSync(f.path('certs/ca.key'));
    rmSync(f.path('promgate.yml'));
    expect((await f.init()).code).toBe(0);
    expect(f.text('promgate.yml')).not.toContain('client_crl_files');
    expect(existsSync(f.path('certs/ca.crl'))).toBe(false);
  });

  it('is stopped by a list of another CA, before anything is written', async () => {
    mkdirSync(f.path('certs'));
    writeFileSync(f.path('certs/ca.crl'), 'of somebody else\n');
    const before = f.snapshot();
    const { code, terminal } = await f.init();
    expect(code).toBe(1);
    expect(terminal.stderr.join('\n')).toContain(`is not a revocation list of ${f.path('certs/ca.crt')}`);
    expect(f.snapshot()).toEqual(before);
  });
});

describe('a directory of before', () => {
  it('is left alone, renewals too; `pki revoke` fails there, and what it revoked stays so', async () => {
    await f.init();
    withoutList();
    const before = f.snapshot();
    expect((await f.init()).code).toBe(0);
    expect(f.snapshot()).toEqual(before);
    expect((await f.init({ renew: true })).code).toBe(0);
    expect(existsSync(f.path('certs/ca.crl'))).toBe(false);
    const { code, terminal } = await pki({ action: 'revoke', target: 'prometheus' });
    expect(code).toBe(1);
    expect(terminal.stderr.join('\n')).toContain('does not name this list');
    expect(list().revoked).toEqual(new Set([f.certificate('prometheus').serial]));
  });
});

describe('a later run', () => {
  it('renews the list at half of its life: where the gate may not write, a timer runs it', async () => {
    await f.init();
    await pki({ action: 'revoke', target: 'prometheus' });
    const before = f.snapshot();
    f.clock.advance(14 * DAY_MS);
    await f.init();
    expect(f.snapshot()).toEqual(before);
    f.clock.advance(40 * DAY_MS);
    const { terminal } = await f.init();
    expect(terminal.stderr).toContain(`promgate: renewed ${f.path('certs/ca.crl')}`);
    expect(list()).toMatchObject({ number: 3n, revoked: new Set([f.certificate('prometheus').serial]) });
    expect(list().nextUpdate).toBeGreaterThan(f.clock.now() + 29 * DAY_MS);
  });

  it('makes a lost list anew from the index, and none when both are lost', async () => {
    await f.init();
    await pki({ action: 'revoke', target: 'prometheus' });
    rmSync(f.path('certs/ca.crl'));
    expect((await f.init()).code).toBe(0);
    expect(list().revoked.size).toBe(1);
    rmSync(f.path('certs/ca.crl'));
    rmSync(f.path('certs/ca-index.json'));
    expect((await f.init()).code).toBe(0);
    expect(existsSync(f.path('certs/ca.crl'))).toBe(false);
  });

  it('makes one for the new CA when the certificates were moved away', async () => {
    await f.init();
    renameSync(f.path('certs'), f.path('moved-away'));
    expect((await f.init()).code).toBe(0);
    const loaded = await loadConfig(f.path('promgate.yml'), { generation: 1, clock: f.clock });
    expect(loaded.problems).toEqual([]);
  });
});
