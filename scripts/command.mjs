// Runs one program to its end. A signal that this process gets in the meantime goes on to the program, and the program
// and all that it started are killed at its deadline: nothing outlives the script.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The fault of something outside: what went wrong, and the way out. */
export class ScriptError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

export function printError(error) {
  console.error(`promgate: error: ${error instanceof ScriptError ? error.message : (error?.stack ?? error)}`);
  if (error?.hint) console.error(`promgate: hint: ${error.hint}`);
}

/**
 * @param {string} command
 * @param {readonly string[]} argv
 * @param {{cwd?: string, env?: Record<string, string>, show?: boolean, deadlineMs?: number}} options
 *   `show` lets the program write to the terminal; otherwise what it writes is returned.
 * @returns {Promise<{code: number, output: string, timedOut: boolean}>}
 */
export function runCommand(command, argv, { cwd = ROOT, env = {}, show = false, deadlineMs = 600_000 } = {}) {
  return new Promise((resolve) => {
    const stdio = show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'];
    // A process group of its own: the deadline and signals reach what the program started, too.
    const child = spawn(command, argv, { cwd, env: { ...process.env, ...env }, stdio, detached: true });
    let output = '';
    let timedOut = false;
    let interruptedBy = null;
    const signalGroup = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It has ended in the meantime.
      }
    };
    const forward = (signal) => {
      interruptedBy = signal;
      signalGroup(signal);
    };
    const timer = setTimeout(() => {
      timedOut = true;
      signalGroup('SIGKILL');
    }, deadlineMs);
    const finish = (code, text) => {
      clearTimeout(timer);
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeListener(signal, forward);
      if (interruptedBy !== null) process.exit(128 + constants.signals[interruptedBy]);
      resolve({ code, output: output + text, timedOut });
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk) => {
        output += chunk;
      });
    }
    child.once('error', (error) => finish(127, `${command}: ${error.message}\n`));
    child.once('close', (code) => finish(code ?? 1, ''));
  });
}

/** npm itself, also where the script was started by npm under another name. */
export function runNpm(argv, options) {
  const own = process.env['npm_execpath'];
  return own?.endsWith('npm-cli.js')
    ? runCommand(process.execPath, [own, ...argv], options)
    : runCommand('npm', argv, options);
}
