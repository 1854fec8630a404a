/**
 * The attack: names and values on their way to the operator's DNS program are made to run something else (`;`, `$(…)`,
 * an option), the program learns secrets of the gate from its environment, hangs for ever, floods memory with its
 * output, leaves processes behind, or its output acts on the terminal of whoever reads the error.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createDnsHookAnswerer } from '../../src/tls/acme/challenges/dns-hook.ts';
import { poll } from '../support/poll.ts';
import { hookPorts } from '../support/acme-orders.ts';
import { createHookDirectory, dnsChallenge, type HookDirectory } from '../support/dns-hook.ts';

let hooks: HookDirectory;
let directory: string;
beforeEach(async () => {
  hooks = await createHookDirectory();
  directory = hooks.path;
});
afterEach(async () => {
  await hooks.remove();
});

it.each([
  'a.example.com;touch x',
  '$(touch x).example.com',
  '-rf.example.com',
  '../x',
  'a..b.com',
  'a b.com',
  '10.0.0.1',
  '',
  '*.*.example.com',
  'a.example.com\n',
])('a name that is none starts nothing: %j', async (identifier) => {
  const program = await hooks.hook(`touch ${directory}/started`);
  const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts);
  await expect(answerer.present(dnsChallenge(identifier))).rejects.toMatchObject({ kind: 'challenge' });
  expect(await readdir(directory)).toEqual(['hook']);
});

it('a path of the program with characters of a shell is a path', async () => {
  const answerer = createDnsHookAnswerer(
    { hook: `${directory}/hook; touch ${directory}/x`, propagationMs: 0 },
    hookPorts,
  );
  await expect(answerer.present(dnsChallenge('a.example.com'))).rejects.toThrow(/cannot be started: ENOENT/);
  expect(await readdir(directory)).toEqual([]);
});

it('the environment is what was handed over and nothing of the gate', async () => {
  process.env['PROMGATE_SECRET_OF_TEST'] = 'hunter2';
  try {
    const program = await hooks.hook(`env > ${directory}/env`);
    await createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts).present(dnsChallenge('a.example.com'));
    const names = (await readFile(join(directory, 'env'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    const known = [
      'PATH',
      'PROMGATE_DNS_ACTION',
      'PROMGATE_DNS_DOMAIN',
      'PROMGATE_DNS_RECORD_NAME',
      'PROMGATE_DNS_VALUE',
    ];
    // What a shell sets for itself.
    expect(names.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name!)).toSorted()).toEqual(known);
  } finally {
    delete process.env['PROMGATE_SECRET_OF_TEST'];
  }
});

it('a program that hangs is killed with everything that it started', async () => {
  const program = await hooks.hook(`sleep 300 & echo $! > ${directory}/child; sleep 300`);
  const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 0, deadlineMs: 500 }, hookPorts);
  const started = performance.now();
  await expect(answerer.present(dnsChallenge('a.example.com'))).rejects.toMatchObject({ kind: 'timeout' });
  expect(performance.now() - started).toBeLessThan(10_000);
  const pid = Number(await readFile(join(directory, 'child'), 'utf8'));
  await poll('the child of the hook is gone', async () => {
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone');
    return state === 'gone' || state.split(' ')[2] === 'Z';
  });
});

it('a program that leaves something running is done when it has ended itself', async () => {
  const program = await hooks.hook(`sleep 20 & exit 0`);
  const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts);
  const started = performance.now();
  await answerer.present(dnsChallenge('a.example.com'));
  expect(performance.now() - started).toBeLessThan(10_000);
});

it('output without end is cut, and its control characters reach no terminal', async () => {
  const program = await hooks.hook(`printf '\\033[2Jbad'; head -c 50000000 /dev/zero | tr '\\0' x; exit 1`);
  const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts);
  const error: Error = await answerer.present(dnsChallenge('a.example.com')).then(
    () => expect.unreachable(),
    (reason: Error) => reason,
  );
  expect(error.message.length).toBeLessThan(1_000);
  expect(error.message).toContain('\\u001b[2Jbad');
  expect(error.message).not.toContain('\u001b');
});
