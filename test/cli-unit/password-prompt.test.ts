import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { readLine, terminalPasswordInput } from '../../src/cli/password-prompt.ts';

class FakeTerminal extends PassThrough {
  readonly modes: boolean[] = [];
  setRawMode(raw: boolean): void {
    this.modes.push(raw);
  }
}

function typed(...chunks: readonly (string | Buffer)[]) {
  const input = new FakeTerminal();
  const shown: string[] = [];
  for (const chunk of chunks) input.write(chunk);
  return { input, shown, password: terminalPasswordInput(input, (text) => shown.push(text)) };
}

it('prompts, and shows nothing of what is typed', async () => {
  const { input, shown, password } = typed('sec', 'ret\r');
  expect(await password.read('Password: ')).toBe('secret');
  expect(shown).toEqual(['Password: ', '\n']);
  expect(input.modes).toEqual([true, false]);
});

it.each([
  ['backspace takes one character, umlauts too', 'aü\x7f\x7f\x7f\x7fbé\x08c\r', 'bc'],
  ['Ctrl-U takes the line', 'wrong\x15right\r', 'right'],
  ['Ctrl-D ends it', 'secret\x04', 'secret'],
  ['a line feed ends it', 'secret\n', 'secret'],
])('%s', async (_, keys, password) => {
  expect(await typed(keys).password.read('')).toBe(password);
});

it('a paste of two lines answers two prompts', async () => {
  const { password } = typed('one\rtwo\r');
  expect([await password.read(''), await password.read('')]).toEqual(['one', 'two']);
});

it('a character may come in two pieces', async () => {
  const bytes = Buffer.from('ä€\r');
  expect(await typed(bytes.subarray(0, 1), bytes.subarray(1, 4), bytes.subarray(4)).password.read('')).toBe('ä€');
});

it('Ctrl-C interrupts, and the terminal is as it was', async () => {
  const { input, password } = typed('sec\x03');
  await expect(password.read('')).rejects.toMatchObject({ code: 'PASSWORD_REFUSED', message: 'interrupted' });
  expect(input.modes).toEqual([true, false]);
});

function piped(content: string | Buffer): PassThrough {
  const input = new PassThrough();
  input.end(content);
  return input;
}

it.each([
  ['secret\n', 'secret'],
  ['secret\r\n', 'secret'],
  ['secret', 'secret'],
  ['secret \n\n', 'secret '],
  ['one\ntwo\n', 'one'],
  ['', ''],
  ['keeps \x7f and \x15 and \r in the middle\n', 'keeps \x7f and \x15 and \r in the middle'],
])('takes the first line of standard input as it is: %j', async (content, password) => {
  expect(await readLine(piped(content))).toBe(password);
});

it('does not wait for the end of standard input', async () => {
  const input = new PassThrough();
  input.write('secret\n');
  expect(await readLine(input)).toBe('secret');
});

it('refuses what is not UTF-8 and what has no end', async () => {
  await expect(readLine(piped(Buffer.from([0x61, 0xff, 0x0a])))).rejects.toThrow('not UTF-8');
  const endless = new PassThrough();
  endless.write('x'.repeat(5000));
  await expect(readLine(endless)).rejects.toThrow('longer than');
});
