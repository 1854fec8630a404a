/** docs/configuration.md and the schema have the same keys and the same defaults, and the example of the page loads. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderProblems } from '../../src/config/explain.ts';
import { loadConfig } from '../../src/config/load.ts';
import { schemaKeys } from '../../src/config/schema-keys.ts';
import { createInitFixture } from '../cli-unit/init-fixture.ts';
import { htpasswdLine } from './config-fixture.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');

function block(after: string, language: string): string {
  const from = page.indexOf(`\`\`\`${language}\n`, page.indexOf(after)) + language.length + 4;
  return page.slice(from, page.indexOf('\n```', from));
}

interface DocumentedKey {
  readonly path: string;
  readonly default: string | undefined;
}

/** Reads the grammar: what is indented deeper belongs to the key above; `- ` begins an item of a list. */
function documentedKeys(grammar: string): DocumentedKey[] {
  const open: { column: number; key: string }[] = [];
  const keys: DocumentedKey[] = [];
  for (const line of grammar.split('\n')) {
    const match = /^( *)(\[ )?(- (?:\[ )?)?([A-Za-z0-9_-]+): ?(.*)$/.exec(line);
    if (match === null || line.trim().startsWith('#')) continue;
    const [, indent = '', bracket = '', dash = '', key = '', rest = ''] = match;
    const column = indent.length + (dash === '' ? 0 : bracket.length + 2);
    while ((open.at(-1)?.column ?? -1) >= column) open.pop();
    open.push({ column, key });
    keys.push({
      path: open.map((step) => step.key).join('.'),
      default: /\| default = (.*?) \]$/.exec(rest)?.[1],
    });
  }
  return keys;
}

const documented = documentedKeys(block('## The file', 'text'));

describe('docs/configuration.md', () => {
  it('has every key of the schema, and no other', () => {
    const keys = schemaKeys().map(({ path }) => path.join('.'));
    expect(documented.map(({ path }) => path).sort()).toEqual([...keys].sort());
  });

  it('has the defaults of the schema', () => {
    const written = new Map(documented.map((key) => [key.path, key.default]));
    for (const key of schemaKeys()) {
      const isEmpty = typeof key.default === 'object' && Object.keys(key.default ?? {}).length === 0;
      if (key.default === undefined || isEmpty) continue;
      const expected = typeof key.default === 'string' ? key.default : JSON.stringify(key.default);
      expect(`${key.path.join('.')} ${written.get(key.path.join('.')) ?? ''}`).toBe(
        `${key.path.join('.')} ${expected}`,
      );
    }
  });

  it('has an example that loads without a word where init has run and the user was added', async () => {
    const fixture = createInitFixture();
    try {
      await fixture.init();
      appendFileSync(fixture.path('.htpasswd'), `${htpasswdLine('grafana', 'y')}\n`);
      const file = fixture.path('promgate.yml');
      writeFileSync(file, block('## An example', 'yaml'));
      const result = await loadConfig(file, { generation: 1 });
      expect(renderProblems(result.problems, 'promgate.yml', result.text)).toBe('');
      expect(result.ok).toBe(true);
    } finally {
      fixture.remove();
    }
  });

  it('shows a problem as it is printed', () => {
    const shown = block('## What a problem looks like', 'text');
    const printed = readFileSync(join(import.meta.dirname, 'testdata/web_client_auth_type.bad.txt'), 'utf8');
    expect(`${shown}\n`).toBe(printed.replaceAll('web_client_auth_type.bad.yml', 'promgate.yml'));
  });
});
