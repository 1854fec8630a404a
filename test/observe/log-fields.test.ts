/** Every field that the source gives to the log is in the table of docs/log.md, in its one spelling. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { createLog, fieldName } from '../../src/observe/log.ts';
import { LOG_FIELDS } from '../../src/observe/log-fields.ts';

const SOURCE = join(import.meta.dirname, '../../src');

/** The names in the object literals that are handed to a log, those in spreads and choices included. */
function fieldsOf(file: string): string[] {
  const names: string[] = [];
  const collect = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name))) {
      names.push(node.name.text);
      return;
    }
    if (ts.isShorthandPropertyAssignment(node)) names.push(node.name.text);
    else node.forEachChild(collect);
  };
  const visit = (node: ts.Node): void => {
    const [fields] =
      ts.isCallExpression(node) && /(?:^|\.|#)log(?:\.\w+|\[[^\]]*\])$/.test(node.expression.getText())
        ? node.arguments
        : [];
    if (fields !== undefined) collect(fields);
    node.forEachChild(visit);
  };
  visit(ts.createSourceFile(file, readFileSync(join(SOURCE, file), 'utf8'), ts.ScriptTarget.Latest, true));
  return names;
}

it('is in the table', () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const used = new Set(files.flatMap(fieldsOf).map(fieldName));
  expect(used.size).toBeGreaterThan(40);
  expect([...used].filter((name) => !(name in LOG_FIELDS)).sort()).toEqual([]);
});

it('has one spelling, whatever the source calls it', () => {
  for (const name of Object.keys(LOG_FIELDS)) expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
  let text = '';
  const log = createLog({ level: 'info', format: 'json', destination: { write: (chunk) => (text += chunk) } });
  log.info({ durationMs: 1, firstByteMs: 2, clientLeft: true, restartNeeded: [], deadline_ms: 3, Time: 4 }, 'x');
  const { level, time, msg, ...fields } = JSON.parse(text) as Record<string, unknown>;
  expect([level, typeof time, msg]).toEqual(['info', 'string', 'x']);
  expect(Object.keys(fields)).toEqual([
    'duration_ms',
    'first_byte_ms',
    'client_left',
    'restart_needed',
    'deadline_ms',
    'time_',
  ]);
});
