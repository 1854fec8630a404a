/**
 * One loop over testdata/: NAME.good.yml is taken, NAME.bad.yml is refused with exactly what NAME.bad.txt says. Each row
 * goes through the command and through the loader. The rows `web_…` are configurations of the exporter-toolkit.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkCommand } from '../../src/cli/commands/check.ts';
import { renderProblems } from '../../src/config/explain.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createConfigFixture } from './config-fixture.ts';
import type { ConfigFixture } from './config-fixture.ts';

const TESTDATA = join(import.meta.dirname, 'testdata');
const names = readdirSync(TESTDATA);
const good = names.filter((name) => name.endsWith('.good.yml'));
const bad = names.filter((name) => name.endsWith('.bad.yml'));

let fixture: ConfigFixture;

beforeAll(() => {
  fixture = createConfigFixture();
  for (const name of names) fixture.write(name, readFileSync(join(TESTDATA, name), 'utf8'));
});

afterAll(() => {
  fixture.remove();
});

async function check(name: string): Promise<{ code: number; out: string; err: string }> {
  const lines: Record<'out' | 'err', string[]> = { out: [], err: [] };
  const code = await checkCommand([fixture.path(name)], {
    isTerminal: false,
    out: (line) => lines.out.push(line),
    err: (line) => lines.err.push(line),
  });
  const plain = (text: string[]) => text.join('\n').replaceAll(`${fixture.directory}/`, '');
  return { code, out: plain(lines.out), err: plain(lines.err) };
}

/** A web.yml cannot name a revocation list: the gate says what that means. */
const NO_LIST = 'the client CA has no revocation list: no client can be revoked';

/** What a web.yml says nothing about: where to listen. */
const onLoopback = { generation: 1, listenAddresses: ['127.0.0.1:0'] };

describe('testdata', () => {
  it('has rows of both kinds', () => {
    expect(good.length).toBeGreaterThan(20);
    expect(bad.length).toBeGreaterThan(40);
  });

  it.each(good)('load takes %s', async (name) => {
    const result = await loadConfig(fixture.path(name), name.startsWith('web_') ? onLoopback : { generation: 1 });
    const problems = result.problems.filter(({ message }) => !(name.startsWith('web_') && message.includes(NO_LIST)));
    expect(renderProblems(problems, name, result.text)).toBe('');
    expect(result.ok).toBe(true);
  });

  it.each(good)('check takes %s', async (name) => {
    const { code, err } = await check(name);
    // The default address is open to the network: a web.yml that leaves it without credentials or TLS has to say so.
    const isOpen = name.startsWith('web_') && err.includes(' is open to the network and ');
    const lacksList = name.startsWith('web_') && err.split('warning: ').length === 2 && err.includes(NO_LIST);
    expect({ code, err: isOpen || lacksList ? '' : err }).toEqual({ code: isOpen ? 1 : 0, err: '' });
  });

  it.each(bad)('check refuses %s in these words', async (name) => {
    const { code, out, err } = await check(name);
    const expected = join(TESTDATA, name.replace(/yml$/, 'txt'));
    expect(existsSync(expected)).toBe(true);
    await expect(`${err}\n`).toMatchFileSnapshot(expected);
    expect(code).toBe(1);
    expect(out).toMatch(/: failed, \d+ errors?$/);
  });

  it.each(bad)('load refuses %s with the same problems', async (name) => {
    const nodeMajor = Number.parseInt(process.versions.node, 10);
    const result = await loadConfig(fixture.path(name), { generation: 1, nodeMajor });
    const rendered = renderProblems(result.problems, fixture.path(name), result.text);
    expect(result.ok).toBe(false);
    expect(`${rendered}\n`.replaceAll(`${fixture.directory}/`, '')).toBe(
      readFileSync(join(TESTDATA, name.replace(/yml$/, 'txt')), 'utf8'),
    );
  });

  it.each(bad)('%s shows no secret', (name) => {
    const shown = readFileSync(join(TESTDATA, name.replace(/yml$/, 'txt')), 'utf8');
    expect(shown).not.toMatch(/hunter2|another secret|\$2y\$|aVerySecretToken|secret password|PRIVATE KEY/);
  });
});
