/** Reads a password: from a person without echo, else one line of standard input. Never from argv or the environment. */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { PromgateError } from '../lib/errors.ts';

/** Where a password comes from. */
export interface PasswordInput {
  /** Whether a person types: then `read` prompts, and a new password is asked for twice. */
  readonly isTerminal: boolean;
  /**
   * @throws {PromgateError} PASSWORD_REFUSED when it was interrupted, is not UTF-8 or longer than any password.
   */
  read(prompt: string): Promise<string>;
}

/** What a terminal offers beyond a stream; `process.stdin` has it. */
export interface TerminalInput extends Readable {
  setRawMode(raw: boolean): unknown;
}

const MOST_BYTES = 4096;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const INTERRUPT = 0x03;
const END_OF_INPUT = 0x04;
const ERASE_LINE = 0x15;
const BACKSPACES = new Set([0x08, 0x7f]);

export function processPasswordInput(): PasswordInput {
  const { stdin, stderr } = process;
  return stdin.isTTY
    ? terminalPasswordInput(stdin, (text) => stderr.write(text))
    : { isTerminal: false, read: () => readLine(stdin) };
}

/** Prompts on `write` (standard error: standard output may be redirected) and types nothing back. */
export function terminalPasswordInput(input: TerminalInput, write: (text: string) => unknown): PasswordInput {
  return {
    isTerminal: true,
    async read(prompt) {
      // Raw mode first: what is typed while the prompt appears must not be echoed either.
      input.setRawMode(true);
      write(prompt);
      try {
        return await readLine(input);
      } finally {
        input.setRawMode(false);
        write('\n');
      }
    },
  };
}

/**
 * The first line, without its ending; what follows stays in the stream for the next prompt. Acts on the keys that a
 * terminal in raw mode hands over: backspace, Ctrl-U, Ctrl-C, Ctrl-D.
 */
export function readLine(input: Readable): Promise<string> {
  const editable = 'setRawMode' in input;
  return new Promise((resolve, reject) => {
    const typed: number[] = [];
    const settle = (finish: () => void): void => {
      input.off('data', onData).off('end', onEnd).off('error', onError).pause();
      finish();
    };
    const fail = (message: string): void => {
      settle(() => {
        reject(new PromgateError('PASSWORD_REFUSED', message));
      });
    };
    const succeed = (): void => {
      const text = decode(typed);
      typed.fill(0);
      if (text === null) fail('the password is not UTF-8');
      else {
        settle(() => {
          resolve(text);
        });
      }
    };
    const onEnd = (): void => {
      succeed();
    };
    const onError = (): void => {
      fail('standard input cannot be read');
    };
    const onData = (chunk: Buffer | string): void => {
      const bytes = Buffer.from(chunk);
      for (const [index, byte] of bytes.entries()) {
        const ended = byte === LINE_FEED || (editable && (byte === CARRIAGE_RETURN || byte === END_OF_INPUT));
        if (ended) {
          if (!editable && typed.at(-1) === CARRIAGE_RETURN) typed.pop();
          succeed();
          if (index + 1 < bytes.length) input.unshift(bytes.subarray(index + 1));
          return;
        }
        if (editable && byte === INTERRUPT) {
          fail('interrupted');
          return;
        }
        if (editable && byte === ERASE_LINE) typed.length = 0;
        else if (editable && BACKSPACES.has(byte)) eraseCharacter(typed);
        else typed.push(byte);
        if (typed.length > MOST_BYTES) {
          fail(`the password is longer than ${String(MOST_BYTES)} bytes`);
          return;
        }
      }
    };
    input.on('data', onData).on('end', onEnd).on('error', onError).resume();
  });
}

/** Takes away one character: its continuation bytes (10xxxxxx) and the byte that leads them. */
function eraseCharacter(typed: number[]): void {
  while (((typed.at(-1) ?? 0) & 0xc0) === 0x80) typed.pop();
  typed.pop();
}

function decode(bytes: readonly number[]): string | null {
  const buffer = Buffer.from(bytes);
  const decoder = new StringDecoder('utf8');
  const text = decoder.write(buffer) + decoder.end();
  return Buffer.from(text, 'utf8').equals(buffer) ? text : null;
}
