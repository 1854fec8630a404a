/** From findings to text: on the terminal, and into docs/benchmarks.md between its marks; the rest of the page is by hand. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { ROWS } from './rows/all.ts';
import type { Finding, Row, Verdict } from './rows/row.ts';

const PAGE = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));

const cells = (line: readonly string[]): string => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  return [cells(header), cells(header.map(() => '---')), ...lines.map(cells)].join('\n');
}

const reached = ({ met }: Verdict): string => (met === null ? '–' : met ? 'yes' : '**no**');

/** The section of a row that has no figures. */
export function renderFailure(row: Row, failure: string): string {
  const [first = ''] = failure.split('\n');
  return [row.method, `**Failed, so there are no figures:** ${first}`].join('\n\n');
}

/** The section of one row. */
export function renderFinding(row: Row, { verdicts, header, lines, notes = [] }: Finding): string {
  const goals = table(
    ['goal', 'measured', 'reached'],
    verdicts.map((verdict) => [verdict.goal, verdict.measured, reached(verdict)]),
  );
  const parts = [row.method, ...(verdicts.length === 0 ? [] : [goals]), table(header, lines), ...notes];
  return parts.join('\n\n');
}

/** A text is why a row has failed. */
export function render(row: Row, finding: Finding | string): string {
  return typeof finding === 'string' ? renderFailure(row, finding) : renderFinding(row, finding);
}

export function printFinding(row: Row, finding: Finding | string): string {
  return `\n## ${row.title}\n\n${render(row, finding)}\n`;
}

const opening = (name: string): string => `<!-- bench:${name} -->`;
const CLOSING = '<!-- bench:end -->';

/** Puts a text between the marks of a name. @throws Error when they are not there. */
export function replaceSection(page: string, name: string, text: string): string {
  const start = page.indexOf(opening(name));
  const end = page.indexOf(CLOSING, start);
  if (start === -1 || end === -1) throw new Error(`docs/benchmarks.md has no section ${opening(name)}`);
  return `${page.slice(0, start)}${opening(name)}\n\n${text}\n\n${page.slice(end)}`;
}

/** The names between marks, in the order of the page. */
export function sectionsOf(page: string): readonly string[] {
  return [...page.matchAll(/^<!-- bench:(?!end -->)(\S+) -->$/gm)].map(([, name]) => name ?? '');
}

/** Only the rows that were measured change; one that failed loses its figures. */
export async function writeFindings(findings: ReadonlyMap<Row, Finding | string>, machine: string): Promise<void> {
  let page = replaceSection(await readFile(PAGE, 'utf8'), 'machine', machine);
  for (const row of ROWS) {
    const finding = findings.get(row);
    if (finding !== undefined) page = replaceSection(page, row.name, render(row, finding));
  }
  const options = await resolveConfig(PAGE);
  await writeFile(PAGE, await format(page, { ...options, parser: 'markdown' }));
}
