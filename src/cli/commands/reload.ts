/** `promgate reload`: asks the running gate to read its configuration again, waits, and prints what it says. */
import { systemClock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { readAdminAddress } from '../admin-address.ts';
import { askAdmin } from '../admin-client.ts';
import { printError, type Terminal } from '../terminal.ts';

export interface ReloadOptions {
  readonly configFile: string;
}

/** The gate itself retries a pair that does not match for 5 s. */
const TIMEOUT_MS = 60_000;
const BUSY = 409;
const BUSY_TRIES = 20;
const BUSY_PAUSE_MS = 250;

/** @returns 0 when the new state runs, 1 when the old one was kept. @throws PromgateError when the gate cannot be asked. */
export async function reloadCommand({ configFile }: ReloadOptions, terminal: Terminal): Promise<number> {
  const address = await readAdminAddress(configFile);
  const call = { method: 'POST', path: '/-/reload', timeoutMs: TIMEOUT_MS } as const;
  let answer = await askAdmin(address, call);
  // Somebody else's reload may have begun before our file was written: ours has to come after it.
  for (let tries = 1; answer.status === BUSY && tries < BUSY_TRIES; tries += 1) {
    await pause(BUSY_PAUSE_MS);
    answer = await askAdmin(address, call);
  }
  const report = answer.body.trimEnd().split('\n').map(escapeControls).join('\n');
  if (answer.status === 200) {
    terminal.out(report);
    return 0;
  }
  if (answer.status === 400) {
    terminal.err(report);
    printError(terminal, 'the gate kept its old state', 'correct the problems above, then reload again');
    return 1;
  }
  throw new PromgateError('RELOAD_REFUSED', `the gate did not reload (${String(answer.status)}): ${report}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(ms, resolve, { ref: true });
  });
}

/** The report quotes lines of files under a caret: letters of every script stay, what acts on a terminal does not. */
function escapeControls(line: string): string {
  return line.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
