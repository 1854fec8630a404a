import { createServer, type AddressInfo, type Server } from 'node:net';
import type { LookupFunction } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Upstream } from '../../src/config/config.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLookup } from '../../src/lib/lookup.ts';
import { openAddresses, portOnThisHost, watchBypass, type BypassWatch } from '../../src/observe/bypass.ts';
import { parseListeningSockets } from '../../src/observe/socket-table.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { upstreamAt, upstreamOf } from '../support/config-fixture.ts';
import { recordingLog } from './recording-log.ts';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n';
const REST = '00000000:00000000 00:00000000 00000000     0        0 1234 1 0000000000000000 100 0 0 10 0\n';
const NOWHERE = { 4: '00000000:0000', 6: '00000000000000000000000000000000:0000' };

function row(address: string, port: number, state = '0A'): string {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return `   0: ${address}:${hex} ${NOWHERE[address.length === 8 ? 4 : 6]} ${state} ${REST}`;
}

const ANY4 = '00000000';
const LOOPBACK4 = '0100007F';
const ANY6 = '0'.repeat(32);
const LOOPBACK6 = '00000000000000000000000001000000';
const MAPPED_LOOPBACK = '0000000000000000FFFF00000100007F';

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

describe('the table of sockets', () => {
  it.each([
    [ANY4, '0.0.0.0'],
    [LOOPBACK4, '127.0.0.1'],
    ['0500000A', '10.0.0.5'],
    [ANY6, '::'],
    [LOOPBACK6, '::1'],
    [MAPPED_LOOPBACK, '127.0.0.1'],
    ['B80D0120000000000000000001000000', '2001:db8:0:0:0:0:0:1'],
  ])('has %s for %s', (hex, address) => {
    expect(parseListeningSockets(HEAD + row(hex, 9090), 'LE')).toEqual([{ address, port: 9090 }]);
  });

  it('is read in the order of bytes of the machine', () => {
    expect(parseListeningSockets(row('7F000001', 9090), 'BE')).toEqual([{ address: '127.0.0.1', port: 9090 }]);
  });

  it('has connections, which do not listen, and lines that are none', () => {
    expect(parseListeningSockets(`${HEAD}${row(ANY4, 9090, '01')}garbage\n   1: 00\n`, 'LE')).toEqual([]);
  });

  it('of this host has a socket that listens', async () => {
    const port = await listen('127.0.0.1');
    const { readFile } = await import('node:fs/promises');
    const sockets = parseListeningSockets(await readFile('/proc/net/tcp', 'latin1'), 'LE');
    expect(sockets).toContainEqual({ address: '127.0.0.1', port });
  });
});

describe('openAddresses', () => {
  it('names every address beyond loopback once', () => {
    const sockets = [
      { address: '127.0.0.1', port: 1 },
      { address: '::1', port: 1 },
      { address: '::', port: 1 },
      { address: '::', port: 1 },
      { address: '10.0.0.5', port: 1 },
      { address: '0.0.0.0', port: 2 },
    ];
    expect(openAddresses(sockets, 1)).toEqual(['10.0.0.5', '::']);
  });
});

const unknown: LookupFunction = (_host, _options, callback) => callback(new Error('no DNS'), '');

describe('portOnThisHost', () => {
  const own = new Set(['192.0.2.7', 'monitor']);
  const at = (host: string): Upstream =>
    upstreamOf({ address: { kind: 'http', origin: `http://${host}:9090`, host, port: 9090 } });

  it.each(['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost', 'LOCALHOST', '192.0.2.7', 'Monitor'])(
    'knows %s',
    async (host) => {
      expect(await portOnThisHost(at(host), own, unknown)).toBe(9090);
    },
  );

  it.each(['192.0.2.8', 'prometheus.example.com'])('leaves %s alone', async (host) => {
    const elsewhere = createLookup({ resolveHost: () => Promise.resolve(['192.0.2.9']) });
    expect(await portOnThisHost(at(host), own, unknown)).toBeNull();
    expect(await portOnThisHost(at(host), own, elsewhere)).toBeNull();
  });

  it.each(['127.0.0.1', '::1', '192.0.2.7'])('knows a name that resolves to %s', async (address) => {
    const lookup = createLookup({ resolveHost: () => Promise.resolve(['192.0.2.9', address]) });
    expect(await portOnThisHost(at('prometheus.internal'), own, lookup)).toBe(9090);
  });

  it('leaves unix sockets and the gate itself alone', async () => {
    const unix = upstreamOf({ address: { kind: 'unix', socketPath: '/x' } });
    expect(await portOnThisHost(unix, own, unknown)).toBeNull();
    expect(await portOnThisHost(upstreamOf({ address: { kind: 'self' } }), own, unknown)).toBeNull();
  });
});

interface Seen {
  readonly watch: BypassWatch;
  readonly clock: ReturnType<typeof createFakeClock>;
  readonly log: ReturnType<typeof recordingLog>;
  readonly metric: Map<string, boolean>;
}

function watch(tables: Record<string, string>, upstreams: readonly Upstream[] = [upstreamOf()]): Seen {
  const clock = createFakeClock();
  const log = recordingLog();
  const metric = new Map<string, boolean>();
  const made = watchBypass({
    upstreams,
    clock,
    log,
    lookup: unknown,
    metrics: { upstreamBypassable: (name, bypassable) => metric.set(name, bypassable) },
    readFile: async (path) => {
      const table = tables[path];
      if (table === undefined) throw new Error('ENOENT');
      return table;
    },
    ownNames: () => new Set(),
  });
  closing.push(() => {
    made.close();
  });
  return { watch: made, clock, log, metric };
}

describe('the bypass watch', () => {
  const name = 'http://127.0.0.1:9090';

  it('warns with the flag that closes the way round', async () => {
    const { watch: made, log, metric } = watch({ '/proc/net/tcp6': HEAD + row(ANY6, 9090), '/proc/net/tcp': HEAD });
    await made.look();
    expect(metric.get(name)).toBe(true);
    expect(log.lines).toMatchObject([
      {
        level: 'warn',
        fields: { upstream: name, port: 9090, addresses: '::', hint: '--web.listen-address=127.0.0.1:9090' },
      },
    ]);
  });

  it('is content with loopback', async () => {
    const table = HEAD + row(LOOPBACK4, 9090) + row(ANY4, 9100);
    const {
      watch: made,
      log,
      metric,
    } = watch({ '/proc/net/tcp': table, '/proc/net/tcp6': HEAD + row(LOOPBACK6, 9090) });
    await made.look();
    expect([metric.get(name), log.lines]).toEqual([false, []]);
  });

  it('looks again after five minutes, and speaks when something changed', async () => {
    const tables = { '/proc/net/tcp': HEAD + row(ANY4, 9090) };
    const { watch: made, clock, log, metric } = watch(tables);
    await made.look();
    clock.advance(5 * 60_000);
    await made.look();
    expect(log.lines).toHaveLength(1);
    tables['/proc/net/tcp'] = HEAD + row(LOOPBACK4, 9090);
    clock.advance(5 * 60_000);
    await expect.poll(() => metric.get(name)).toBe(false);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
  });

  it('claims nothing where there is no table', async () => {
    const { watch: made, log, metric } = watch({});
    await made.look();
    expect([metric.size, log.lines]).toEqual([0, []]);
  });

  it('looks at the upstreams of a new configuration at once', async () => {
    const { watch: made, metric } = watch({ '/proc/net/tcp': HEAD + row(ANY4, 9100) });
    made.apply([upstreamAt(9100)]);
    await expect.poll(() => metric.get('http://127.0.0.1:9100')).toBe(true);
  });

  it('sees a real socket on every address, and one on loopback', async () => {
    const open = await listen('0.0.0.0');
    const closed = await listen('127.0.0.1');
    const metric = new Map<string, boolean>();
    const made = watchBypass({
      upstreams: [upstreamAt(open), upstreamAt(closed)],
      clock: systemClock,
      log: recordingLog(),
      lookup: unknown,
      metrics: { upstreamBypassable: (upstream, bypassable) => metric.set(upstream, bypassable) },
    });
    closing.push(() => {
      made.close();
    });
    await made.look();
    expect([...metric]).toEqual([
      [`http://127.0.0.1:${open}`, true],
      [`http://127.0.0.1:${closed}`, false],
    ]);
  });
});

function listen(host: string): Promise<number> {
  const server: Server = createServer();
  closing.push(() => server.close());
  return new Promise((resolve) => {
    server.listen(0, host, () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}
