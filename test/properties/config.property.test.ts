/** No text makes the loader throw, and none makes it print a secret. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from '../support/property.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { renderProblems } from '../../src/config/explain.ts';
import { loadConfig } from '../../src/config/load.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { schemaKeys } from '../../src/config/schema-keys.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'promgate-properties-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

async function load(text: string): Promise<string> {
  const file = join(directory, 'promgate.yml');
  writeFileSync(file, text);
  const result = await loadConfig(file, { generation: 1 });
  return renderProblems(result.problems, 'promgate.yml', result.text);
}

const keys = [...new Set(schemaKeys().map(({ path }) => path.at(-1) ?? ''))];
const leaf = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom(':9095', '10.0.0.0/8', 'self', '/a/*', '@scrape', '10s', 'http://127.0.0.1:9090', 'either', '*.a.b'),
);
/** Documents that have the keys of the schema in the right and in the wrong places. */
const { document } = fc.letrec((tie) => ({
  document: fc.dictionary(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...keys) }, fc.string()), tie('value'), {
    maxKeys: 6,
  }),
  value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 3 }), tie('document')),
}));
const yamlish = fc
  .array(
    fc.constantFrom(
      ...keys,
      ':',
      ' ',
      '\n',
      '\n  ',
      '\t',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '"',
      "'",
      '|',
      '#',
      '!!int ',
      '<<: ',
      '%',
      '---\n',
    ),
  )
  .map((parts) => parts.join(''));

describe('loadConfig', () => {
  it('never throws for any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), yamlish), async (text) => {
        expect(typeof (await load(text))).toBe('string');
      }),
      { numRuns: 400 },
    );
  });

  it('never throws for any document, and every problem has a sentence', async () => {
    await fc.assert(
      fc.asyncProperty(document, async (value) => {
        await load(stringify(value));
        for (const { message } of (await parseConfig(stringify(value))).problems) expect(message).toMatch(/\S/);
      }),
      { numRuns: 400 },
    );
  });

  it.each([
    ['nested lists', '['.repeat(60_000)],
    ['nested maps', '{a: '.repeat(60_000)],
    ['nested blocks', '- '.repeat(60_000)],
    ['nested keys', '? '.repeat(20_000)],
    [
      'an alias bomb',
      `a: &a [x]\n${'bcdefghijklm'.split('').reduce((text, name, i) => `${text}${name}: &${name} [${`*${'abcdefghijklm'[i] ?? ''},`.repeat(9)}]\n`, '')}`,
    ],
    ['an anchor within itself', 'upstreams: &a [*a]\n'],
    ['a line of a megabyte', `allow: [${'a'.repeat(1_000_000)}]`],
    ['more than a megabyte', '#'.repeat(1_100_000)],
  ])('survives %s', async (_, text) => {
    expect(await load(text)).toMatch(/error: /);
  });

  it('never prints the value of a secret key, however the text is broken', async () => {
    const secret = 'hunter2hunter2';
    const around = fc.stringMatching(/^[ -~\n]{0,20}$/);
    const key = fc.constantFrom('password', 'key', 'credentials', 'basic_auth_users:\n  alice');
    await fc.assert(
      fc.asyncProperty(around, key, fc.constantFrom('', '"', "'"), around, async (before, name, quote, after) => {
        const text = `${before}\n${name}: ${quote}${secret}${quote}\n${after}`;
        expect(await load(text)).not.toContain(secret);
      }),
      { numRuns: 600 },
    );
  });
});
