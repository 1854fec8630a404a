/** `promgate users`: when which credential was seen last by the running gate, and what it took. */
import { systemClock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import type { SeenUser } from '../../observe/ports.ts';
import { readAdminAddress } from '../admin-address.ts';
import { askAdmin } from '../admin-client.ts';
import type { Terminal } from '../terminal.ts';
import { userTable } from '../user-table.ts';

export interface UsersOptions {
  readonly configFile: string;
  readonly output: 'table' | 'json';
}

interface Listing {
  readonly sinceMs: number;
  readonly total: number;
  readonly users: readonly SeenUser[];
}

const TIMEOUT_MS = 5000;

/** @returns 0. @throws PromgateError ADMIN_UNREACHABLE when the gate cannot be asked. */
export async function usersCommand({ configFile, output }: UsersOptions, terminal: Terminal): Promise<number> {
  const address = await readAdminAddress(configFile);
  const { status, body } = await askAdmin(address, { method: 'GET', path: '/api/users', timeoutMs: TIMEOUT_MS });
  if (status !== 200) {
    const said = escapeNonPrintable(body.trimEnd());
    throw new PromgateError('ADMIN_UNREACHABLE', `the gate answered ${String(status)}: ${said}`);
  }
  const { sinceMs, total, users } = JSON.parse(body) as Listing;
  if (output === 'json') {
    terminal.out(JSON.stringify({ since: instant(sinceMs), users: users.map(asJson) }, null, 2));
  } else if (users.length === 0) {
    terminal.err('promgate: nobody was seen, and no users are configured');
  } else {
    for (const line of userTable(users, systemClock.now())) terminal.out(line);
    terminal.err(`promgate: counted since the start of the gate, ${instant(sinceMs) ?? ''}`);
  }
  if (total > users.length) terminal.err(`promgate: and ${String(total - users.length)} more`);
  return 0;
}

function asJson({ lastSeenMs, lastRefusal, ...rest }: SeenUser): object {
  return { ...rest, last_refusal: lastRefusal, last_seen: instant(lastSeenMs) };
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
