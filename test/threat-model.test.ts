/** docs/threat-model.md names the test of each attack: none that is gone, and none of test/security/ left out. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(`${ROOT}docs/threat-model.md`, 'utf8');
const named = new Set([...page.matchAll(/`(test\/[^`]+\.test\.ts)`/g)].map(([, path = '']) => path));

it('names tests that exist', () => {
  expect([...named].filter((path) => !existsSync(ROOT + path))).toEqual([]);
});

it('names every test of test/security/', () => {
  const files = readdirSync(`${ROOT}test/security`).filter((name) => name.endsWith('.test.ts'));
  expect(files.map((name) => `test/security/${name}`).filter((path) => !named.has(path))).toEqual([]);
  expect(files.length).toBeGreaterThan(0);
});
