/**
 * What goes wrong on the host of a running gate: its state directory, its clock, and its own end in the middle of an
 * order. Nothing that is good is lost by it.
 */
import { chmod, chown, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { attempts, awaitIssued, httpChallenge, NAME, served, startAcmeGate, stateOf } from '../support/acme-gate.ts';
import { createHookDirectory } from '../support/dns-hook.ts';
import type { Gate } from '../support/gate.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { poll } from '../support/poll.ts';
import { startProcess, type RunningProcess } from '../support/processes.ts';

const MAIN = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url));

let pebble: Pebble;
beforeAll(async () => {
  pebble = await startPebble();
});
afterAll(async () => {
  await pebble.stop();
});

describe('a state directory', () => {
  let gate: Gate;
  let again: RunningProcess | undefined;
  beforeAll(async () => {
    gate = await startAcmeGate({ directory: pebble.directory, challenge: httpChallenge(pebble.httpPort) });
    await awaitIssued(gate);
    await gate.process.stop();
  });
  afterEach(async () => {
    await again?.stop();
  });
  afterAll(async () => {
    await rm(gate.directory, { recursive: true });
  });

  const start = (): RunningProcess => {
    again = startProcess(process.execPath, [MAIN, 'run', `--config.file=${gate.configFile}`], { cwd: gate.directory });
    return again;
  };
  const directory = (): string => join(gate.directory, 'acme');
  const pairFile = async (): Promise<string> =>
    join(directory(), (await readdir(directory())).find((name) => name.endsWith('.pair.json')) ?? '');
  const setAside = async (): Promise<string[]> =>
    (await readdir(directory())).filter((name) => name.includes('.unusable-'));

  it('with a truncated certificate is said so, another one is obtained, and the file is set aside', async () => {
    const file = await pairFile();
    const cut = (await readFile(file, 'utf8')).slice(0, 700);
    await writeFile(file, cut);
    const running = start();
    await awaitIssued(gate);
    expect(running.output()).toContain('a file of the state directory is not used: it is no complete JSON');
    // It is served before it is written.
    const [name] = await poll('the file was set aside', async () => {
      const names = await setAside();
      return names.length > 0 && names;
    });
    if (name === undefined) throw new Error('nothing was set aside');
    expect(await readFile(join(directory(), name), 'utf8')).toBe(cut);
    await rm(join(directory(), name));
  });

  it('of another version is said so, and set aside, not destroyed, by what takes its place', async () => {
    const before = await stateOf(gate);
    expect(before.size).toBe(3);
    for (const [name, content] of before) {
      await writeFile(join(directory(), name), content.replace('"version": 1', '"version": 0'));
    }
    const running = start();
    await poll('it serves', () => served(gate.port), { deadlineMs: 20_000 });
    expect(running.output()).toContain('it has version 0, expected 1');
    // What was tried is not known: the CA is not asked at once. A person may.
    expect(await attempts(gate, 'issued')).toBe(0);
    const renewed = await gate.command('cert', 'renew');
    expect(renewed.code, renewed.stderr).toBe(0);
    await awaitIssued(gate);
    await poll('all were set aside', async () => (await setAside()).length === 3);
  });

  it('that others may write, or own, keeps the gate from starting, with the command that mends it', async () => {
    const refused = async (words: string): Promise<void> => {
      const running = start();
      expect(await running.exited).toMatchObject({ code: 1 });
      expect(running.output()).toContain(words);
      expect(running.output()).not.toMatch(/^\s+at /m);
    };
    await chmod(directory(), 0o777);
    await refused('hint: chmod 0700 acme');
    await chmod(directory(), 0o700);
    // Only root can give it away.
    if (process.getuid?.() !== 0) return;
    await chown(directory(), 65_534, 65_534);
    await refused('belongs to another user (uid 65534)');
  });
});

describe.each([
  ['fast', 3_600_000],
  ['slow', -3_600_000],
])('a clock that is an hour %s', (_which, offset) => {
  const wrong = `const Right = Date;
globalThis.Date = class extends Right {
  constructor(...values) { if (values.length === 0) super(Right.now() + ${offset}); else super(...values); }
  static now() { return Right.now() + ${offset}; }
};`;

  it('costs no certificate, and no second order: not while it is wrong, and not once it is right', async () => {
    const gate = await startAcmeGate({
      directory: pebble.directory,
      challenge: httpChallenge(pebble.httpPort),
      profile: 'shortlived',
      environment: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(wrong)}` },
    });
    let again: RunningProcess | undefined;
    try {
      const first = await awaitIssued(gate);
      await poll('the CA was asked about renewal', () => gate.logs().includes('the CA suggests when to renew'));
      expect(await attempts(gate, 'issued')).toBe(1);
      const status = await gate.command('cert', 'status');
      expect(status.code, status.stdout).toBe(0);
      await gate.process.stop();
      again = startProcess(process.execPath, [MAIN, 'run', `--config.file=${gate.configFile}`], {
        cwd: gate.directory,
      });
      const second = await poll('it serves again', () => served(gate.port), { deadlineMs: 20_000 });
      expect(second.serialNumber).toBe(first.serialNumber);
      expect(await attempts(gate, 'issued')).toBe(0);
      expect((await gate.command('cert', 'status')).code).toBe(0);
    } finally {
      await again?.stop();
      await gate.stop();
    }
  });
});

describe('the end of a gate', () => {
  it('does not wait for a dns-01 hook or for records to spread, and cleans up', async () => {
    const hooks = await createHookDirectory();
    const log = join(hooks.path, 'log');
    const hook = await hooks.hook(`echo "$1" >> ${log}; [ "$1" = cleanup ] || sleep 300`);
    const gate = await startAcmeGate({
      directory: pebble.directory,
      domains: `[${NAME}]`,
      challenge: `{type: dns-01, hook: ${hook}, propagation: 1h}`,
    });
    try {
      await poll('the hook runs', async () => (await readFile(log, 'utf8')) === 'present\n', { deadlineMs: 20_000 });
      const asked = performance.now();
      const exit = await gate.process.stop(30_000);
      expect(exit).toEqual({ code: 0, signal: null });
      expect(performance.now() - asked).toBeLessThan(10_000);
      expect(await readFile(log, 'utf8')).toBe('present\ncleanup\n');
    } finally {
      await gate.stop();
      await hooks.remove();
    }
  });
});
