/** The table of docs/enforcement.md says what the data says, row by row. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ENFORCED_ENDPOINTS } from '../src/request/enforce/enforced-endpoints.ts';
import type { Treatment } from '../src/request/enforce/enforced-endpoints.ts';

const page = readFileSync(join(import.meta.dirname, '../docs/enforcement.md'), 'utf8');

function inWords(treatment: Treatment): string {
  switch (treatment.how) {
    case 'selectors':
      return {
        nothing: 'narrows each `match[]`; without any the answer is empty',
        refusal: 'narrows each `match[]`; without any it is 400',
        everything_allowed: 'narrows each `match[]`; without any asks for all that may be seen',
      }[treatment.without];
    case 'query':
      return 'narrows every selector in the expression';
    case 'json':
      return `filters the ${treatment.of} of the answer`;
    case 'exposition':
      return 'filters the page line by line';
    case 'pass':
      return 'passes it on: it is of no series';
  }
}

describe('docs/enforcement.md', () => {
  it('has the table of what can be narrowed', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    const written = rows.map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    const data = Object.entries(ENFORCED_ENDPOINTS).flatMap(([kind, endpoints]) =>
      endpoints.map(({ path, methods, treatment, lists, scalars }) => [
        `\`${kind}\``,
        methods.join(', '),
        `\`${path}\``,
        inWords(treatment),
        [...lists, ...scalars].map((name) => `\`${name}\``).join(' '),
      ]),
    );
    expect(written).toEqual(data);
  });
});
