import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseCpuList } from '../../bench/cores.ts';
import { expositionPage, seriesPage } from '../../bench/exposition.ts';
import { figure, median, percentile } from '../../bench/figures.ts';
import { render, renderFinding, replaceSection, sectionsOf } from '../../bench/report.ts';
import { ROWS } from '../../bench/rows/all.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url)), 'utf8');

describe('docs/benchmarks.md', () => {
  test('has a section for the machine and one for each row of the bench, in its order', () => {
    expect(sectionsOf(page)).toEqual(['machine', ...ROWS.map(({ name }) => name)]);
  });

  test('names every row as the bench does', () => {
    for (const { title } of ROWS) expect(page).toContain(`\n## ${title}\n`);
  });

  test('changes between the marks of a row and nowhere else', () => {
    const name = ROWS[1]?.name ?? '';
    const changed = replaceSection(page, name, 'another text');
    expect(changed).toContain(`<!-- bench:${name} -->\n\nanother text\n\n<!-- bench:end -->`);
    expect(sectionsOf(changed)).toEqual(sectionsOf(page));
    const [before = ''] = page.split(`<!-- bench:${name} -->`);
    expect(changed.startsWith(before)).toBe(true);
  });

  test('a row without its marks is an error', () => {
    expect(() => replaceSection(page, 'no-such-row', '')).toThrow('has no section');
  });
});

test('a finding says which goals are not reached', () => {
  const [row] = ROWS;
  if (row === undefined) throw new Error('no rows');
  const text = renderFinding(row, {
    verdicts: [
      { goal: '≥ 1 × vmauth', measured: '0.9 ×', met: false },
      { goal: '≥ 1.8 × Caddy', measured: '2 ×', met: true },
    ],
    header: ['server', 'requests/s'],
    lines: [['promgate', '10']],
  });
  expect(text).toContain('| ≥ 1 × vmauth | 0.9 × | **no** |');
  expect(text).toContain('| ≥ 1.8 × Caddy | 2 × | yes |');
  expect(text).toContain('| promgate | 10 |');
});

test('a row that failed has no figures, and says why', () => {
  const [row] = ROWS;
  if (row === undefined) throw new Error('no rows');
  const text = render(row, 'wrk ended with code 1\nPANIC');
  expect(text).toContain('**Failed, so there are no figures:** wrk ended with code 1');
  expect(text).not.toContain('PANIC');
});

test('names of rows and titles are there once', () => {
  expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
  expect(new Set(ROWS.map(({ title }) => title)).size).toBe(ROWS.length);
});

test.each([
  ['0-1', [0, 1]],
  ['0,2-3\n', [0, 2, 3]],
  ['7', [7]],
])('the processors %j', (text, expected) => {
  expect(parseCpuList(text)).toEqual(expected);
});

test('a percentile is a value that was measured', () => {
  const values = Array.from({ length: 200 }, (_unused, index) => 200 - index);
  expect(percentile(values, 99)).toBe(198);
  expect(median([3, 1, 2])).toBe(2);
  expect(percentile([], 50)).toBeNaN();
});

test.each([
  [28_233, '28 200'],
  [1_234_567, '1 230 000'],
  [4.3219, '4.32'],
  [0, '0'],
  [Infinity, '–'],
])('%d is printed as %s', (value, expected) => {
  expect(figure(value)).toBe(expected);
});

test('generated pages have the size and the series that were asked for', () => {
  expect(expositionPage(60_000).length).toBeGreaterThanOrEqual(60_000);
  expect(expositionPage(60_000).length).toBeLessThan(60_300);
  const samples = seriesPage(1000, 1_700_000_000_000)
    .toString()
    .split('\n')
    .filter((line) => /^[^#]/.test(line));
  expect(samples).toHaveLength(1000);
  expect(new Set(samples.map((line) => line.split(' ')[0])).size).toBe(1000);
  expect(samples[0]).toMatch(/ 1700000000000$/);
});
