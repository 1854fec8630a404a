import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adminAddressIn, DEFAULT_ADMIN_ADDRESS } from '../../src/cli/admin-address.ts';
import { askAdmin } from '../../src/cli/admin-client.ts';
import { healthcheckCommand } from '../../src/cli/commands/healthcheck.ts';
import { lockoutsCommand } from '../../src/cli/commands/lockouts.ts';
import { reloadCommand } from '../../src/cli/commands/reload.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { freePort } from '../support/free-port.ts';
import { startAdmin, type AdminChanges, type AdminFixture } from './admin-fixture.ts';

let directory = '';
let configFile = '';
const closing: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'promgate-commands-'));
  configFile = join(directory, 'promgate.yml');
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(directory, { recursive: true, force: true });
});

function recording(): Terminal & { readonly stdout: string[]; readonly stderr: string[] } {
  const stdout: string[] = [];
  const stderr: string[] = [];
  return { isTerminal: false, stdout, stderr, out: (text) => stdout.push(text), err: (text) => stderr.push(text) };
}

async function gate(changes: AdminChanges = {}): Promise<AdminFixture> {
  const fixture = await startAdmin(changes);
  closing.push(() => fixture.admin.close());
  writeFileSync(configFile, `admin_address: 127.0.0.1:${fixture.port}\n`);
  return fixture;
}

describe('promgate reload', () => {
  it('prints what the gate says, and is 0', async () => {
    await gate({ reload: async () => ({ ok: true, report: 'promgate.yml:1:1: warning: x' }) });
    const terminal = recording();
    expect(await reloadCommand({ configFile }, terminal)).toBe(0);
    expect(terminal.stdout).toEqual(['promgate.yml:1:1: warning: x']);
  });

  it('prints the problems to standard error, and is 1, when the old state was kept', async () => {
    const report = 'promgate.yml:2:3: error: unknown key "ä"\n   2 |   ä: 1\u001b[2K\n';
    await gate({ reload: async () => ({ ok: false, report }) });
    const terminal = recording();
    expect(await reloadCommand({ configFile }, terminal)).toBe(1);
    expect(terminal.stdout).toEqual([]);
    expect(terminal.stderr.join('\n')).toContain('unknown key "ä"\n   2 |   ä: 1\\u{1b}[2K');
    expect(terminal.stderr.join('\n')).toContain('promgate: error: the gate kept its old state');
  });

  it('finds the gate by a configuration that has other errors', async () => {
    const { port } = await gate();
    writeFileSync(configFile, `unknown: [1\nadmin_address: "127.0.0.1:${port}"\nupstreams: {{\n`);
    expect(await reloadCommand({ configFile }, recording())).toBe(0);
  });

  it('waits for a reload that runs already, and then makes its own', async () => {
    let end: () => void = () => undefined;
    let calls = 0;
    const { ask } = await gate({
      reload: () => {
        calls += 1;
        return new Promise((resolve) => {
          end = () => {
            resolve({ ok: true, report: `reload ${calls}` });
          };
          if (calls > 1) end();
        });
      },
    });
    const other = ask('/-/reload', { method: 'POST' });
    await expect.poll(() => calls).toBe(1);
    const terminal = recording();
    const ours = reloadCommand({ configFile }, terminal);
    setTimeout(end, 100);
    expect([(await other).status, await ours]).toEqual([200, 0]);
    expect(terminal.stdout).toEqual(['reload 2']);
  });

  it('fails with the code ADMIN_UNREACHABLE when nobody listens', async () => {
    writeFileSync(configFile, `admin_address: 127.0.0.1:${await freePort()}\n`);
    await expect(reloadCommand({ configFile }, recording())).rejects.toMatchObject({
      code: 'ADMIN_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
  });
});

describe('promgate healthcheck', () => {
  it('is 0 when the gate is ready', async () => {
    await gate();
    const terminal = recording();
    expect(await healthcheckCommand({ configFile }, terminal)).toBe(0);
    expect(terminal.stdout).toEqual(['promgate is ready']);
  });

  it('is 1 with the reasons when it is not', async () => {
    await gate({ ready: () => ({ ready: false, reasons: ['draining'] }) });
    const terminal = recording();
    expect(await healthcheckCommand({ configFile }, terminal)).toBe(1);
    expect(terminal.stderr).toEqual(['promgate: error: not ready: draining']);
  });

  it('asks over a unix socket', async () => {
    const path = join(directory, 'admin.sock');
    await gate({ address: { kind: 'unix', path, text: `unix:${path}` } });
    writeFileSync(configFile, `admin_address: unix:${path}\n`);
    expect(await healthcheckCommand({ configFile }, recording())).toBe(0);
  });
});

describe('promgate lockouts', () => {
  const lockouts = [
    { address: '198.51.100.7', user: 'bob\u001b[2K', untilMs: 0 },
    { address: '2001:db8::/64', user: null, untilMs: Date.now() + 299_500 },
  ];

  it('lists address, user and remaining time, with what acts on a terminal escaped', async () => {
    await gate({ lockouts: () => lockouts });
    const terminal = recording();
    expect(await lockoutsCommand({ configFile, clear: null }, terminal)).toBe(0);
    expect(terminal.stdout).toEqual([
      'ADDRESS        USER          ENDS IN',
      '198.51.100.7   bob\\u001b[2K  0s',
      expect.stringMatching(/^2001:db8::\/64 {2}\(every user\) {2}(?:29\d|300)s$/),
    ]);
  });

  it('lists a thousand of a flood, and says how many more there are', async () => {
    const flood = Array.from({ length: 1500 }, (_, at) => ({
      address: `10.0.${at >> 8}.${at & 255}`,
      user: null,
      untilMs: 0,
    }));
    await gate({ lockouts: () => flood });
    const terminal = recording();
    expect(await lockoutsCommand({ configFile, clear: null }, terminal)).toBe(0);
    expect([terminal.stdout.length, terminal.stderr]).toEqual([1001, ['promgate: and 500 more']]);
  });

  it('says so when nobody is locked out', async () => {
    await gate();
    const terminal = recording();
    expect(await lockoutsCommand({ configFile, clear: null }, terminal)).toBe(0);
    expect([terminal.stdout, terminal.stderr]).toEqual([[], ['promgate: nobody is locked out']]);
  });

  it('lifts the lockouts of an address', async () => {
    const { cleared } = await gate();
    const terminal = recording();
    expect(await lockoutsCommand({ configFile, clear: '2001:db8::/64' }, terminal)).toBe(0);
    expect(terminal.stdout).toEqual(['lifted 1 lockout of 2001:db8::/64']);
    expect(cleared).toEqual(['2001:db8::/64']);
  });

  it('is 1 when there was nothing to lift', async () => {
    await gate({ clearLockout: () => 0 });
    const terminal = recording();
    expect(await lockoutsCommand({ configFile, clear: '198.51.100.7' }, terminal)).toBe(1);
    expect(terminal.stderr).toEqual(['promgate: error: 198.51.100.7 is not locked out']);
  });

  it('takes no name for an address', async () => {
    await expect(lockoutsCommand({ configFile, clear: 'bob' }, recording())).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('the admin address', () => {
  it.each(['', '# nothing\n', 'listen_addresses: [":1"]\n', 'admin_address:\n'])('of %j is the default', (text) => {
    expect(adminAddressIn(text, 'f')).toMatchObject({ host: '127.0.0.1', port: 9096 });
  });

  it('has the default of the schema', async () => {
    const { schema } = await import('../../src/config/schema.ts');
    expect(schema.parse({}).admin_address).toMatchObject({ text: DEFAULT_ADMIN_ADDRESS });
  });

  it('that is off, or none, is an error that says so', () => {
    expect(() => adminAddressIn('admin_address: off', 'f')).toThrow('admin_address is off in f');
    for (const text of ['admin_address: {a: 1}', 'admin_address: nonsense']) {
      expect(() => adminAddressIn(text, 'f')).toThrow('admin_address in f is not an address');
    }
  });

  it('of a file that is not there is an error that names the file', async () => {
    await expect(healthcheckCommand({ configFile: join(directory, 'no.yml') }, recording())).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
      message: expect.stringContaining('no.yml: ENOENT') as string,
    });
  });
});

describe('the client', () => {
  async function server(answer: (url: string) => string | Buffer | null): Promise<number> {
    const made = createServer((request, response) => {
      const body = answer(request.url ?? '');
      if (body !== null) response.end(body);
    });
    closing.push(() => {
      made.close();
      made.closeAllConnections();
    });
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    return (made.address() as AddressInfo).port;
  }

  const call = (port: number, timeoutMs = 5000) =>
    askAdmin({ kind: 'tcp', host: null, port, text: `:${port}` }, { method: 'GET', path: '/', timeoutMs });

  it('asks a wildcard address on loopback', async () => {
    expect(await call(await server(() => 'x'))).toEqual({ status: 200, body: 'x' });
  });

  it('ends at its deadline', async () => {
    await expect(call(await server(() => null), 50)).rejects.toThrow('no answer within 0.05 s');
  });

  it('takes no endless answer', async () => {
    await expect(call(await server(() => Buffer.alloc(5 * 1024 * 1024)))).rejects.toThrow('the answer is too large');
  });
});
