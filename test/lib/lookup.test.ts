import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { addressesOf, createLookup } from '../../src/lib/lookup.ts';
import type { SystemLookup } from '../../src/lib/lookup.ts';
import type { ResolveHost } from '../../src/lib/resolve-host.ts';

type Found = { error: NodeJS.ErrnoException | null; addresses: string | LookupAddress[]; family: number | undefined };

function ask(lookup: ReturnType<typeof createLookup>, host: string, all = true): Promise<Found> {
  return new Promise((resolve) => {
    lookup(host, { all }, (error, addresses, family) => resolve({ error, addresses, family }));
  });
}

const unknown: ResolveHost = (host) => Promise.reject(new Error(`cannot resolve ${host}`));

describe('the addresses of an upstream', () => {
  it('come from the hosts file and DNS first, with their families', async () => {
    const resolveHost: ResolveHost = () => Promise.resolve(['192.0.2.1', '2001:db8::1']);
    const lookup = createLookup({ resolveHost, system: () => expect.unreachable() });
    expect((await ask(lookup, 'up')).addresses).toEqual([
      { address: '192.0.2.1', family: 4 },
      { address: '2001:db8::1', family: 6 },
    ]);
    expect(await ask(lookup, 'up', false)).toEqual({ error: null, addresses: '192.0.2.1', family: 4 });
  });

  it('come from the system when DNS does not know them', async () => {
    const system: SystemLookup = (_host, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]);
    const lookup = createLookup({ resolveHost: unknown, system });
    expect((await ask(lookup, 'localhost')).addresses).toEqual([{ address: '127.0.0.1', family: 4 }]);
  });

  it('are asked of the system once at a time, so that hanging names do not fill the thread pool', async () => {
    const asked: string[] = [];
    let answer: Parameters<SystemLookup>[1] = () => undefined;
    const system: SystemLookup = (host, callback) => {
      asked.push(host);
      answer = callback;
    };
    const lookup = createLookup({ resolveHost: unknown, system });
    const first = ask(lookup, 'a');
    const same = ask(lookup, 'a');
    const other = await ask(lookup, 'b');
    expect(other.error?.code).toBe('ENOTFOUND');
    answer(null, [{ address: '192.0.2.1', family: 4 }]);
    expect((await first).error).toBeNull();
    expect((await same).error).toBeNull();
    const later = ask(lookup, 'b');
    await new Promise(setImmediate);
    answer(null, [{ address: '192.0.2.2', family: 4 }]);
    expect((await later).error).toBeNull();
    expect(asked).toEqual(['a', 'b']);
  });

  it('are asked for once for all who want to know at the same time', async () => {
    let asked = 0;
    const resolveHost: ResolveHost = async () => {
      asked += 1;
      return ['192.0.2.1'];
    };
    const lookup = createLookup({ resolveHost });
    await Promise.all([ask(lookup, 'up'), ask(lookup, 'up')]);
    expect(asked).toBe(1);
    await ask(lookup, 'up');
    expect(asked).toBe(2);
  });

  it('are the address itself where the host is one', async () => {
    const lookup = createLookup({ resolveHost: unknown, system: () => expect.unreachable() });
    expect(await addressesOf(lookup, '2001:db8::1')).toEqual([{ address: '2001:db8::1', family: 6 }]);
  });

  it('are an error with a code when nobody knows them', async () => {
    const lookup = createLookup({ resolveHost: unknown, system: (_host, callback) => callback(new Error('no'), []) });
    expect((await ask(lookup, 'up')).error).toMatchObject({ code: 'ENOTFOUND', message: 'cannot resolve up: no' });
    const empty = createLookup({ resolveHost: unknown, system: (_host, callback) => callback(null, []) });
    expect((await ask(empty, 'up')).error?.code).toBe('ENOTFOUND');
  });
});
