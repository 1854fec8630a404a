/**
 * The attack: a stranger logs in as `x\n{"level":"info","msg":"login","user":"admin"}`, or with terminal escapes and
 * bidirectional marks in the name, so that the log shows a line that never was, or the operator's terminal obeys.
 */
import fc from '../support/property.ts';
import { describe, expect, it } from 'vitest';
import { escapeForeign } from '../../src/lib/foreign-text.ts';
import { createLog, type LogFormat } from '../../src/observe/log.ts';

function written(format: LogFormat, fields: object, message: string): string {
  let text = '';
  createLog({ level: 'debug', format, destination: { write: (line: string) => (text += line) } }).info(fields, message);
  return text;
}

const NASTY = [
  'x\n{"level":"info","msg":"login","user":"admin"}',
  'x" user=admin level=error',
  '\r\u001b[2K\u001b[1A',
  '\u009b31m',
  '\u2028\u2029\u0085',
  '\u202eadmin\u2066',
  '\ud800',
];

describe.each(['json', 'logfmt'] as const)('a line of %s', (format) => {
  it('is one line of printable ASCII whatever a stranger typed', () => {
    for (const nasty of NASTY) {
      const text = written(format, { user: nasty, [nasty]: 1, nested: { [nasty]: [nasty] } }, nasty);
      expect(text).toMatch(/^[\x20-\x7e]+\n$/);
    }
  });

  it('is one line for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (value, message) => {
        expect(written(format, { value }, message)).toMatch(/^[\x20-\x7e…]+\n$/);
      }),
      { numRuns: 300 },
    );
  });
});

it('gives the value back unchanged when the JSON is parsed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      const line = JSON.parse(written('json', { value: `v${value}` }, 'x')) as { value: string };
      expect(line.value).toBe(`v${value}`);
    }),
    { numRuns: 300 },
  );
});

/** Splits a line of logfmt as its readers do. */
function pairsOf(line: string): [string, string][] {
  const pairs: [string, string][] = [];
  const pair = /([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s="]*)(?: |\n|$)/gy;
  for (let match = pair.exec(line); match !== null; match = pair.exec(line))
    pairs.push([match[1] ?? '', match[2] ?? '']);
  expect(pairs.reduce((length, [key, value]) => length + key.length + value.length + 2, 0)).toBe(line.length);
  return pairs;
}

it('gives no more pairs in logfmt than there were fields, a list of texts among them', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (value, message) => {
      const fields = { value, path: escapeForeign(value), list: [value, message] };
      const keys = pairsOf(written('logfmt', fields, message)).map(([key]) => key);
      expect(keys).toEqual(['time', 'level', 'msg', 'value', 'path', 'list']);
    }),
    { numRuns: 300 },
  );
});

it('writes an ordinary path and user without quotes, and quotes what could pass for another field', () => {
  const line = (text: string) => written('logfmt', { path: escapeForeign(text) }, 'm').split(' msg=m ')[1];
  expect(line('/metrics')).toBe('path=/metrics\n');
  expect(line('/a level=error')).toBe('path="/a level=error"\n');
  expect(line('a=b')).toBe('path="a=b"\n');
  expect(line('a"')).toBe('path="a\\""\n');
  expect(line('a\\')).toBe('path="a\\\\\\\\"\n');
  expect(line('')).toBe('path=""\n');
  const parsed = JSON.parse(written('json', { path: escapeForeign('/metrics') }, 'm')) as Record<string, unknown>;
  expect(parsed['path']).toBe('/metrics');
});
