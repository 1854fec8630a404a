import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProcess } from '../support/processes.ts';
import { startAdmin, type AdminFixture } from './admin-fixture.ts';

let directory = '';
let path = '';
const open: AdminFixture[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'promgate-admin-'));
  path = join(directory, 'admin.sock');
});

afterEach(async () => {
  for (const { admin } of open.splice(0)) await admin.close();
  rmSync(directory, { recursive: true, force: true });
});

async function start(): Promise<AdminFixture> {
  const fixture = await startAdmin({ address: { kind: 'unix', path, text: `unix:${path}` } });
  open.push(fixture);
  return fixture;
}

describe('a unix socket', () => {
  it('is for its owner alone, answers everything, and leaves nothing behind', async () => {
    const { admin, ask } = await start();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['admin.sock']);
    expect(await ask('/-/reload', { method: 'POST', headers: { host: 'localhost' } })).toMatchObject({ status: 200 });
    await admin.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('replaces the socket of a process that died', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await runProcess(process.execPath, ['-e', script]);
    expect(statSync(path).isSocket()).toBe(true);
    const { ask } = await start();
    expect(await ask('/-/healthy', { headers: { host: 'localhost' } })).toMatchObject({ status: 200 });
  });

  it('never takes the socket of a process that lives', async () => {
    const first = await start();
    await expect(start()).rejects.toMatchObject({ code: 'PORT_TAKEN' });
    expect(await first.ask('/-/healthy', { headers: { host: 'localhost' } })).toMatchObject({ status: 200 });
    expect(readdirSync(directory)).toEqual(['admin.sock']);
  });

  it('never replaces a file that is no socket', async () => {
    writeFileSync(path, 'precious');
    await expect(start()).rejects.toMatchObject({ code: 'FILE_UNSAFE' });
    expect(statSync(path).size).toBe(8);
  });

  it('does not remove on close what another process put in its place', async () => {
    const { admin } = await start();
    rmSync(path);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(path, resolve));
    await admin.close();
    expect(existsSync(path)).toBe(true);
    await new Promise((resolve) => other.close(resolve));
  });

  it('in a folder that is not there is an error that names the address', async () => {
    path = join(directory, 'no/such/admin.sock');
    await expect(start()).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining(path) as string,
    });
  });
});
