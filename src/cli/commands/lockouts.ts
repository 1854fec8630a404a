/** `promgate lockouts [clear ADDRESS]`: who is locked out of the running gate, and how it is lifted. */
import { isIP } from 'node:net';
import { systemClock } from '../../lib/clock.ts';
import { escapeNonPrintable, quoteForeign } from '../../lib/foreign-text.ts';
import { PromgateError } from '../../lib/errors.ts';
import type { ActiveLockout } from '../../observe/ports.ts';
import { readAdminAddress } from '../admin-address.ts';
import { askAdmin, type AdminAnswer } from '../admin-client.ts';
import { printError, type Terminal } from '../terminal.ts';

export interface LockoutsOptions {
  readonly configFile: string;
  /** An address whose lockouts are lifted; null: list them. */
  readonly clear: string | null;
}

const TIMEOUT_MS = 5000;

/**
 * @returns 0, or 1 when there was nothing to lift.
 * @throws PromgateError USAGE for what is no address, ADMIN_UNREACHABLE when the gate cannot be asked.
 */
export async function lockoutsCommand({ configFile, clear }: LockoutsOptions, terminal: Terminal): Promise<number> {
  if (clear !== null && isIP(clear.replace(/\/\d{1,3}$/, '')) === 0) {
    throw new PromgateError('USAGE', `${quoteForeign(clear)} is not an address`, {
      hint: 'promgate lockouts lists the addresses that are locked out',
    });
  }
  const admin = await readAdminAddress(configFile);
  if (clear === null) {
    const answer = await askAdmin(admin, { method: 'GET', path: '/api/lockouts', timeoutMs: TIMEOUT_MS });
    return list(objectIn(answer), terminal);
  }
  const path = `/api/lockouts/clear?address=${encodeURIComponent(clear)}`;
  const answer = await askAdmin(admin, { method: 'POST', path, timeoutMs: TIMEOUT_MS });
  const cleared = Number(objectIn(answer)['cleared']);
  if (cleared === 0) {
    printError(terminal, `${clear} is not locked out`);
    return 1;
  }
  terminal.out(`lifted ${String(cleared)} ${cleared === 1 ? 'lockout' : 'lockouts'} of ${clear}`);
  return 0;
}

function list({ lockouts: listed, total }: Record<string, unknown>, terminal: Terminal): number {
  const lockouts = Array.isArray(listed) ? (listed as readonly ActiveLockout[]) : [];
  if (lockouts.length === 0) {
    terminal.err('promgate: nobody is locked out');
    return 0;
  }
  const rows = lockouts.map(({ address, user, untilMs }) => [
    escapeNonPrintable(address),
    user === null ? '(every user)' : escapeNonPrintable(user),
    `${String(Math.max(0, Math.ceil((untilMs - systemClock.now()) / 1000)))}s`,
  ]);
  const header = ['ADDRESS', 'USER', 'ENDS IN'];
  const widths = header.map((title, column) =>
    Math.max(...[header, ...rows].map((row) => (row[column] ?? title).length)),
  );
  for (const row of [header, ...rows]) {
    terminal.out(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
  const more = Number(total) - lockouts.length;
  if (more > 0) terminal.err(`promgate: and ${String(more)} more`);
  return 0;
}

function objectIn({ status, body }: AdminAnswer): Record<string, unknown> {
  if (status !== 200) {
    throw new PromgateError(
      'ADMIN_UNREACHABLE',
      `the gate answered ${String(status)}: ${escapeNonPrintable(body.trimEnd())}`,
    );
  }
  return JSON.parse(body) as Record<string, unknown>;
}
