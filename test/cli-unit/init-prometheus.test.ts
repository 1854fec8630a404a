/** `init --prometheus=URL`: a Prometheus that does not listen at its default address. */
import { parse } from 'yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { createInitFixture } from './init-fixture.ts';
import type { InitFixture } from './init-fixture.ts';
import { recordingTerminal } from './recording-terminal.ts';

let fixture: InitFixture;

beforeEach(() => {
  fixture = createInitFixture();
});
afterEach(() => {
  fixture.remove();
});

const upstreams = (): { url: string }[] =>
  (parse(fixture.text('promgate.yml')) as { upstreams: { url: string }[] }).upstreams;

describe('init', () => {
  it('looks for a Prometheus at its default address, and there only', async () => {
    await fixture.init();
    expect(fixture.probed).toEqual(['http://127.0.0.1:9090']);
  });

  it('looks where it is told to, and names that address as the upstream', async () => {
    fixture.machine.hasPrometheus = true;
    expect((await fixture.init({ prometheus: 'http://[::1]:9091' })).code).toBe(0);
    expect(fixture.probed).toEqual(['http://[::1]:9091']);
    expect(upstreams().map(({ url }) => url)).toEqual(['http://[::1]:9091', 'self']);
    expect(fixture.text('promgate.yml')).toContain('prometheus --web.listen-address=[::1]:9091\n');
  });

  it('does not tell a Prometheus on another host to listen on loopback', async () => {
    fixture.machine.hasPrometheus = true;
    await fixture.init({ prometheus: 'http://192.0.2.1:9090' });
    expect(fixture.text('promgate.yml')).not.toContain('--web.listen-address');
  });

  it('names the address at which none answered, in what it says and in what it writes', async () => {
    const { terminal } = await fixture.init({ prometheus: 'http://127.0.0.1:9091' });
    expect(terminal.all()).toContain('no Prometheus answers at http://127.0.0.1:9091: the gate serves its own metrics');
    expect(fixture.text('promgate.yml')).toContain('To guard a Prometheus instead: {url: http://127.0.0.1:9091, kind');
    expect(upstreams().map(({ url }) => url)).toEqual(['self']);
  });

  it('is refused where there is a configuration', async () => {
    await fixture.init();
    await expect(fixture.init({ prometheus: 'http://127.0.0.1:9091' })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('is there already: --prometheus is for a first run') as unknown,
    });
  });

  it.each([
    '127.0.0.1:9090',
    'https://127.0.0.1:9090',
    'http://a:b@127.0.0.1',
    'http://127.0.0.1:9090/prom',
    '',
    'http://x/?a',
  ])('takes no other form of address: %j', async (url) => {
    const terminal = recordingTerminal();
    expect(await main(['init', `--prometheus=${url}`, fixture.directory], terminal)).toBe(2);
    expect(terminal.all()).toContain('expected http://HOST:PORT');
    expect(fixture.snapshot()).toEqual({});
  });
});
