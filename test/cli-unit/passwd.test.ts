import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { passwdCommand } from '../../src/cli/commands/passwd.ts';
import type { PasswdOptions } from '../../src/cli/commands/passwd.ts';
import { parseHtpasswd } from '../../src/formats/htpasswd.ts';
import { findProgram } from '../support/programs.ts';
import { runProcess } from '../support/processes.ts';
import { recordingTerminal } from './recording-terminal.ts';
import type { RecordingTerminal } from './recording-terminal.ts';

let directory: string;
let file: string;
let terminal: RecordingTerminal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'passwd-'));
  file = join(directory, '.htpasswd');
  terminal = recordingTerminal();
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Answers the prompts in order; one answer only is standard input. */
function run(
  options: Partial<PasswdOptions> & Pick<PasswdOptions, 'action'>,
  ...answers: readonly string[]
): Promise<number> {
  const left = [...answers];
  const read = (): Promise<string> => Promise.resolve(left.shift() ?? expect.fail('asked once too often'));
  return passwdCommand({ file, user: 'alice', ...options }, terminal, { isTerminal: answers.length > 1, read });
}

async function htpasswd(...argv: readonly string[]): Promise<number | null> {
  return (await runProcess(findProgram('htpasswd'), argv)).code;
}

const text = (): string => readFileSync(file, 'utf8');

describe('with the real htpasswd', () => {
  it.each(['secret', 'pässwörd €', 'with "quotes" and $dollars', 'x'.repeat(72)])(
    'it verifies what we add: %s',
    async (password) => {
      expect(await run({ action: 'add' }, password, password)).toBe(0);
      expect(text()).toMatch(/^alice:\$2y\$10\$[./\w]{53}\n$/);
      expect(await htpasswd('-vb', file, 'alice', password)).toBe(0);
      expect(await htpasswd('-vb', file, 'alice', `${password.slice(0, 70)}.`)).not.toBe(0);
    },
  );

  it.each(['-m', '-B', '-s', '-2', '-5'])('we verify what it adds with %s', async (scheme) => {
    expect(await htpasswd('-cb', scheme, file, 'alice', 'pässwörd')).toBe(0);
    expect(await run({ action: 'verify' }, 'pässwörd')).toBe(0);
    expect(await run({ action: 'verify' }, 'passwörd')).toBe(1);
  });

  it('a file is edited by both in turn', async () => {
    expect(await htpasswd('-cbB', file, 'alice', 'one')).toBe(0);
    expect(await run({ action: 'add', user: 'bob' }, 'two')).toBe(0);
    expect(await htpasswd('-bB', file, 'alice', 'three')).toBe(0);
    expect(await run({ action: 'add', user: 'bob' }, 'four')).toBe(0);
    expect(await htpasswd('-vb', file, 'alice', 'three')).toBe(0);
    expect(await htpasswd('-vb', file, 'bob', 'four')).toBe(0);
    expect(parseHtpasswd(text()).entries).toHaveLength(2);
  });
});

it('a new file is for its owner only, an old one keeps its mode', async () => {
  await run({ action: 'add' }, 'secret');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  chmodSync(file, 0o640);
  await run({ action: 'add', user: 'bob' }, 'secret');
  expect(statSync(file).mode & 0o777).toBe(0o640);
});

it('says what it did, and never the password or the hash', async () => {
  await run({ action: 'add' }, 'hunter2');
  await run({ action: 'add' }, 'hunter3');
  await run({ action: 'verify' }, 'hunter3');
  await run({ action: 'remove' });
  expect(terminal.stdout).toEqual([
    `${file}: added "alice"`,
    `${file}: changed the password of "alice"`,
    `${file}: the password of "alice" is right`,
    `${file}: removed "alice"`,
  ]);
  expect(terminal.all()).not.toMatch(/hunter|\$2/);
});

it('keeps the old password valid when it is asked to', async () => {
  await run({ action: 'add' }, 'old');
  await run({ action: 'add', user: 'bob' }, 'other');
  await run({ action: 'add', keepOld: true }, 'new');
  expect(await run({ action: 'verify' }, 'old')).toBe(0);
  expect(await run({ action: 'verify' }, 'new')).toBe(0);
  expect(terminal.stdout).toContain(`${file}: "alice" has 2 valid passwords now`);
  await run({ action: 'add' }, 'newest');
  expect(await run({ action: 'verify' }, 'old')).toBe(1);
  expect(await run({ action: 'verify' }, 'new')).toBe(1);
  expect(await run({ action: 'verify' }, 'newest')).toBe(0);
  expect(await run({ action: 'verify', user: 'bob' }, 'other')).toBe(0);
});

it('ends a rotation with the new password alone, and says how many old ones went', async () => {
  await run({ action: 'add' }, 'old');
  await run({ action: 'add', keepOld: true }, 'new');
  await run({ action: 'add' }, 'new');
  expect(terminal.stdout.at(-1)).toBe(`${file}: 1 old password removed; "alice" has 1 valid password now`);
  expect(await run({ action: 'verify' }, 'new')).toBe(0);
  expect(await run({ action: 'verify' }, 'old')).toBe(1);
});

it('says that a rotation ended with another password than the one it began with', async () => {
  await run({ action: 'add' }, 'old');
  await run({ action: 'add', keepOld: true }, 'new');
  await run({ action: 'add' }, 'mew');
  expect(terminal.stdout.at(-1)).toBe(`${file}: changed the password of "alice"; 2 old passwords removed`);
});

it('takes the cost that is given, from 10 to 16', async () => {
  await run({ action: 'add', cost: 11 }, 'secret');
  expect(text()).toContain('$2y$11$');
  for (const cost of [4, 9, 17, 10.5]) {
    await expect(run({ action: 'add', cost }, 'secret')).rejects.toMatchObject({ code: 'USAGE' });
  }
});

it.each(['', 'a:b', 'a\nb', '#a', ' a', 'a\u200bb', 'é'.repeat(128)])(
  'refuses the user %j before it asks',
  async (user) => {
    for (const action of ['add', 'verify', 'remove'] as const) {
      await expect(run({ action, user })).rejects.toMatchObject({ code: 'USAGE' });
    }
    expect(existsSync(file)).toBe(false);
  },
);

it.each([
  ['', 'empty'],
  ['x'.repeat(73), 'more than 72 bytes'],
  ['ü'.repeat(37), 'more than 72 bytes'],
  ['a\x1b[Ab', 'control characters'],
])('refuses the password %j', async (password, message) => {
  const failure = run({ action: 'add' }, password, password);
  await expect(failure).rejects.toMatchObject({
    code: 'PASSWORD_REFUSED',
    message: expect.stringContaining(message) as string,
  });
  expect(existsSync(file)).toBe(false);
});

it('changes nothing when the two passwords differ', async () => {
  await expect(run({ action: 'add' }, 'one', 'two')).rejects.toThrow('differ');
  expect(existsSync(file)).toBe(false);
});

it('keeps every other byte: comments, endings, fields, bytes that are not UTF-8', async () => {
  const old = Buffer.concat([
    Buffer.from('# users\r\n\r\nalice:$apr1$a$b:on call\r\nbob:{SHA}x=:y\r\n# J'),
    Buffer.from([0xfc]),
    Buffer.from('rgen\r\nalice:other\r\nzoe:z'),
  ]);
  writeFileSync(file, old);
  await run({ action: 'add' }, 'secret');
  await run({ action: 'add', user: 'eve' }, 'secret');
  expect(readFileSync(file, 'latin1').replaceAll(/\$2y\$10\$[./\w]{53}/g, 'HASH')).toBe(
    '# users\r\n\r\nalice:HASH:on call\r\nbob:{SHA}x=:y\r\n# J\u00fcrgen\r\nzoe:z\r\neve:HASH\r\n',
  );
  await run({ action: 'remove', user: 'bob' });
  expect(readFileSync(file, 'latin1')).not.toContain('bob');
  expect(readFileSync(file, 'latin1')).toContain('J\u00fcrgen\r\nzoe:z\r\n');
});

it('a user with umlauts is found, and one whose name begins alike is not touched', async () => {
  await run({ action: 'add', user: 'jürgen' }, 'one');
  await run({ action: 'add', user: 'jürgens' }, 'two');
  await run({ action: 'add', user: 'jürgen' }, 'three');
  expect(await run({ action: 'verify', user: 'jürgen' }, 'three')).toBe(0);
  expect(await run({ action: 'verify', user: 'jürgens' }, 'two')).toBe(0);
  expect(await run({ action: 'remove', user: 'jürgen' })).toBe(0);
  expect(parseHtpasswd(text()).entries.map(({ user }) => user)).toEqual(['jürgens']);
});

it('a file that begins with a byte order mark keeps it', async () => {
  writeFileSync(file, '\ufeffalice:old\n');
  await run({ action: 'add' }, 'secret');
  expect(text()).toMatch(/^\ufeffalice:\$2y\$/);
  await run({ action: 'remove' });
  expect(text()).toBe('\ufeff');
});

it('verify and remove say who is missing, and fail', async () => {
  await run({ action: 'add' }, 'secret');
  expect(await run({ action: 'verify', user: 'bob' })).toBe(1);
  expect(await run({ action: 'remove', user: 'bob' })).toBe(1);
  expect(terminal.stderr.join('\n')).toContain('has no line for "bob"');
  rmSync(file);
  await expect(run({ action: 'verify' })).rejects.toThrow('does not exist');
  await expect(run({ action: 'remove' })).rejects.toThrow('does not exist');
});

it('verify warns of lines that the gate would refuse', async () => {
  writeFileSync(file, 'alice:{PLAIN}hunter2\n');
  expect(await run({ action: 'verify' })).toBe(1);
  expect(terminal.stderr[0]).toContain(`${file}:1: `);
  expect(terminal.all()).not.toContain('hunter2');
});
