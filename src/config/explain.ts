/**
 * Problems → what a person reads: `file:line:col: error: sentence`, the line, a caret, a hint. Nothing that secretsOf
 * names is printed, and nothing that a terminal would act on.
 */
import type { DocumentPath, Problem } from '../lib/problem.ts';
import { maskSentence, secretsOf } from './mask.ts';
import type { Secrets } from './mask.ts';
import { rangeAt } from './place.ts';
import type { Range } from './place.ts';
import { LARGEST_YAML, readYaml } from './yaml-text.ts';
import type { YamlText } from './yaml-text.ts';

const MASK = '********';
/** More than that nobody reads; the rest is counted. */
const MOST = 200;
const WIDEST = 120;

/** A problem for a line of the log, masked and in printable characters like the drawn one. */
export interface ToldProblem {
  readonly severity: Problem['severity'];
  /** `file:line:column`, as far as it is known. */
  readonly place: string;
  readonly message: string;
  readonly hint: string | null;
}

interface Placed {
  readonly problem: Problem;
  readonly range: Range | null;
}

/**
 * Renders every problem, sorted by its place in the configuration file.
 * @param file the configuration file's name, as the operator gave it.
 * @param text its text; empty when it could not be read.
 */
export function renderProblems(problems: readonly Problem[], file: string, text: string): string {
  const { shown, yaml, secrets, placed } = inOrder(problems, text);
  const blocks = placed.slice(0, MOST).map((one) => renderOne(one, file, shown, yaml, secrets));
  if (placed.length > MOST) blocks.push(`${clean(file)}: error: and ${String(placed.length - MOST)} more problems`);
  return blocks.join('\n');
}

/** The same problems in the same order, each in one line and without the text around it. */
export function tellProblems(problems: readonly Problem[], file: string, text: string): readonly ToldProblem[] {
  const { shown, yaml, secrets, placed } = inOrder(problems, text);
  return placed.map((one) => ({
    severity: one.problem.severity,
    place: placeText(one, file, shown, yaml),
    message: say(one.problem.message, secrets),
    hint: one.problem.hint === undefined ? null : say(one.problem.hint, secrets),
  }));
}

/** Where a key stands, and its line, masked and in printable characters. */
export interface ShownKey {
  /** `file:line:column`. */
  readonly place: string;
  readonly line: string;
}

/** @returns null when the key is not written: its default holds. */
export function showKey(path: DocumentPath, file: string, text: string): ShownKey | null {
  const yaml = readYaml(text);
  if (yaml.document?.hasIn(path) !== true) return null;
  const range = rangeAt(yaml.document, path, 'key');
  if (range === null) return null;
  const { source } = drawLine(text, range, secretsOf(text, yaml.document).ranges);
  const { line, column } = positionOf(range, text, yaml);
  return { place: `${clean(file)}:${String(line)}:${String(column)}`, line: source.trim() };
}

function inOrder(problems: readonly Problem[], text: string) {
  const shown = text.length > LARGEST_YAML ? '' : text;
  const yaml = readYaml(shown);
  // Groups of files that are judged apart may find the same.
  const different = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  const placed: readonly Placed[] = [...different.values()]
    .map((problem) => ({ problem, range: place(problem, yaml) }))
    .sort((a, b) => (a.range?.[0] ?? -1) - (b.range?.[0] ?? -1) || (a.problem.line ?? 0) - (b.problem.line ?? 0));
  return { shown, yaml, secrets: secretsOf(shown, yaml.document), placed };
}

function place({ path, at, file, line, column }: Problem, yaml: YamlText): Range | null {
  if (path !== undefined && yaml.document !== null) return rangeAt(yaml.document, path, at ?? 'value');
  if (file !== undefined || line === undefined) return null;
  const start = (yaml.lines.lineStarts[line - 1] ?? 0) + (column ?? 1) - 1;
  const fault = yaml.faults.find(({ range }) => range[0] === start);
  return fault?.range ?? [start, start + 1];
}

function renderOne(one: Placed, file: string, text: string, yaml: YamlText, secrets: Secrets): string {
  const { problem, range } = one;
  const hint = problem.hint === undefined ? [] : [`   hint: ${say(problem.hint, secrets)}`];
  const head = `${placeText(one, file, text, yaml)}: ${problem.severity}: ${say(problem.message, secrets)}`;
  if (problem.file !== undefined || range === null || text === '') return [head, ...hint].join('\n');
  const number = String(positionOf(range, text, yaml).line).padStart(5);
  const { source, caret } = drawLine(text, range, secrets.ranges);
  return [head, `${number} | ${source}`.trimEnd(), `      | ${caret}`, ...hint].join('\n');
}

function placeText({ problem, range }: Placed, file: string, text: string, yaml: YamlText): string {
  if (problem.file !== undefined) {
    const line = problem.line === undefined ? '' : `:${String(problem.line)}`;
    const column = problem.line === undefined || problem.column === undefined ? '' : `:${String(problem.column)}`;
    return `${clean(problem.file)}${line}${column}`;
  }
  if (range === null || text === '') return clean(file);
  const { line, column } = positionOf(range, text, yaml);
  return `${clean(file)}:${String(line)}:${String(column)}`;
}

/** Both from 1. */
function positionOf(range: Range, text: string, yaml: YamlText): { readonly line: number; readonly column: number } {
  const { line, col } = yaml.lines.linePos(Math.min(range[0], text.length));
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** The line in which a range begins, masked and cut, and the caret line under it. */
function drawLine(text: string, range: Range, secrets: readonly Range[]): { source: string; caret: string } {
  const start = text.lastIndexOf('\n', range[0] - 1) + 1;
  const newline = text.indexOf('\n', start);
  const end = newline === -1 ? text.length : newline;
  const hidden = clipped(secrets, start, end);
  let source = '';
  let at = start;
  for (const [from, to] of hidden) {
    source += text.slice(at, from) + MASK;
    at = to;
  }
  source += text.slice(at, end);
  const from = column(range[0], 'start', start, hidden);
  const to = column(Math.min(range[1], end), 'end', start, hidden);
  return cut(clean(source), from, Math.max(to - from, 1));
}

/** The secret parts of one line; what touches becomes one, so that not even the length shows. */
function clipped(secrets: readonly Range[], start: number, end: number): Range[] {
  const hidden: Range[] = [];
  for (const [a, b] of secrets) {
    const [from, to] = [Math.max(a, start), Math.min(b, end)];
    if (from >= to) continue;
    const last = hidden.at(-1);
    if (last !== undefined && from <= last[1]) hidden[hidden.length - 1] = [last[0], Math.max(last[1], to)];
    else hidden.push([from, to]);
  }
  return hidden;
}

/** Where an offset of the text is in the masked line. */
function column(offset: number, edge: 'start' | 'end', start: number, hidden: readonly Range[]): number {
  let shift = 0;
  for (const [from, to] of hidden) {
    if (offset >= to) shift += MASK.length - (to - from);
    else if (offset > from) return from - start + shift + (edge === 'end' ? MASK.length : 0);
  }
  return offset - start + shift;
}

/** Cuts a long line around its caret. */
function cut(line: string, from: number, width: number): { source: string; caret: string } {
  const skip = line.length > WIDEST && from + width > WIDEST ? Math.max(from - WIDEST / 4, 0) : 0;
  const head = skip > 0 ? '…' : '';
  const tail = line.length - skip > WIDEST ? '…' : '';
  const room = Math.max(Math.min(width, WIDEST - (from - skip)), 1);
  return {
    source: `${head}${line.slice(skip, skip + WIDEST)}${tail}`,
    caret: ' '.repeat(from - skip + head.length) + '^'.repeat(room),
  };
}

function say(sentence: string, { values }: Secrets): string {
  return clean(maskSentence(sentence, values, MASK));
}

/** One character for one: control, format and separator characters (also those that turn the text around) become `?`. */
function clean(line: string): string {
  return line
    .replace(/\t/g, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => '?'.repeat(character.length));
}
