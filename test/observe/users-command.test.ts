import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { usersCommand } from '../../src/cli/commands/users.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import type { SeenUser } from '../../src/observe/ports.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { recordingTerminal } from '../cli-unit/recording-terminal.ts';
import { startAdmin } from './admin-fixture.ts';
import type { AdminFixture } from './admin-fixture.ts';

let directory = '';
let configFile = '';
const closing: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'promgate-users-'));
  configFile = join(directory, 'promgate.yml');
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(directory, { recursive: true, force: true });
});

const NEVER: SeenUser = {
  identity: 'password:new',
  user: 'new',
  certificate: null,
  lastSeenMs: null,
  address: null,
  requests: 0,
  scrapes: 0,
  bytes: 0,
  series: null,
  refusals: 0,
  lastRefusal: null,
};
const SINCE = Date.UTC(2026, 0, 1);

async function gate(users: readonly SeenUser[]): Promise<AdminFixture> {
  const metrics = createMetrics({ clock: systemClock, version: '1.2.3', nodeVersion: 'v20' });
  const fixture = await startAdmin({ metrics: { ...metrics, users: () => ({ sinceMs: SINCE, users }) } });
  closing.push(() => fixture.admin.close());
  writeFileSync(configFile, `admin_address: 127.0.0.1:${String(fixture.port)}\n`);
  return fixture;
}

describe('promgate users', () => {
  it('shows a line for each credential, with what acts on a terminal escaped', async () => {
    const now = Date.now();
    await gate([
      {
        ...NEVER,
        identity: 'master',
        user: null,
        certificate: { serial: '0A', name: 'a\u001b[2K' },
        lastSeenMs: now - 59_000,
        address: '192.0.2.7',
        requests: 12,
        scrapes: 10,
        bytes: 17_500_000,
        series: 100_000,
        refusals: 2,
        lastRefusal: 'cap_bytes',
      },
      NEVER,
      {
        ...NEVER,
        identity: 'both',
        user: 'u',
        certificate: { serial: '0B', name: 'b' },
        lastSeenMs: now,
        address: '::1',
      },
      { ...NEVER, identity: 'idle', user: null, certificate: { serial: null, name: null } },
      { ...NEVER, identity: 'anonymous', user: null, lastSeenMs: now - 7_300_000, address: '::1', bytes: 1500 },
    ]);
    const terminal = recordingTerminal();
    expect(await usersCommand({ configFile, output: 'table' }, terminal)).toBe(0);
    const [header = '', ...rows] = terminal.stdout.join('\n').split('\n');
    expect(header.split(/ {2,}/)).toEqual([
      ...['IDENTITY', 'CREDENTIAL', 'LAST SEEN', 'ADDRESS', 'SCRAPES', 'BYTES', 'SERIES', 'REFUSALS'],
    ]);
    expect(rows.map((row) => row.split(/ {2,}/))).toEqual([
      [
        ...['master', 'certificate a\\u001b[2K (0A)', expect.stringMatching(/^(?:59|6\d) s ago$/), '192.0.2.7', '10'],
        ...['16.7MB', '100000', '2, last cap_bytes'],
      ],
      ['password:new', 'password new', 'never', '-', '-', '-', '-', '-'],
      ['both', 'password u + certificate b (0B)', expect.stringMatching(/^\d s ago$/), '::1', '0', '0B', '-', '0'],
      ['idle', 'certificate', 'never', '-', '-', '-', '-', '-'],
      ['anonymous', 'none', '2 h ago', '::1', '0', '1.5KB', '-', '0'],
    ]);
    expect(terminal.stderr.join('')).toContain('counted since the start of the gate, 2026-01-01T00:00:00.000Z');
  });

  it('prints JSON with times that every program reads', async () => {
    await gate([{ ...NEVER, lastSeenMs: SINCE + 500 }, NEVER]);
    const terminal = recordingTerminal();
    expect(await usersCommand({ configFile, output: 'json' }, terminal)).toBe(0);
    const rest = {
      ...{ identity: 'password:new', user: 'new', certificate: null, address: null },
      ...{ requests: 0, scrapes: 0, bytes: 0, series: null, refusals: 0 },
    };
    expect(JSON.parse(terminal.stdout.join('\n'))).toEqual({
      since: '2026-01-01T00:00:00.000Z',
      users: [
        { ...rest, last_seen: '2026-01-01T00:00:00.500Z', last_refusal: null },
        { ...rest, last_seen: null, last_refusal: null },
      ],
    });
    expect(terminal.stderr.join('')).toBe('');
  });

  it('shows five thousand, and says how many more there are', async () => {
    await gate(Array.from({ length: 5003 }, (_, index) => ({ ...NEVER, user: `u${String(index)}` })));
    const terminal = recordingTerminal();
    expect(await usersCommand({ configFile, output: 'table' }, terminal)).toBe(0);
    expect(terminal.stdout.join('\n').split('\n')).toHaveLength(5001);
    expect(terminal.stderr.join('\n')).toContain('and 3 more');
  });

  it('says so when there is nobody', async () => {
    await gate([]);
    const terminal = recordingTerminal();
    expect(await usersCommand({ configFile, output: 'table' }, terminal)).toBe(0);
    expect(terminal.stdout.join('')).toBe('');
    expect(terminal.stderr.join('')).toContain('nobody was seen');
  });

  it('is answered on the admin address, as lockouts are, by GET', async () => {
    const { ask } = await gate([NEVER]);
    const { status, headers, body } = await ask('/api/users');
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    expect(JSON.parse(body)).toEqual({ sinceMs: SINCE, total: 1, users: [NEVER] });
    expect((await ask('/api/users', { method: 'POST' })).status).toBe(405);
  });
});
