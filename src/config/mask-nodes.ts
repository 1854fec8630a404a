/**
 * The secret parts of a document without faults, by the places of its nodes: from the colon of a secret key to the end of
 * its value and of the line, with every anchor, tag, alias and comment on the way. What is shown there is chosen, the rest
 * is hidden.
 */
import { isAlias, isCollection, isMap, isPair, isScalar, visit } from 'yaml';
import type { Document, Pair, YAMLMap } from 'yaml';
import { keyText } from './place.ts';
import type { Range } from './place.ts';
import { isSecretKey, namesFile, SECRET_IN_TEXT } from './secret-keys.ts';

type Spot = readonly [start: number, valueEnd: number, nodeEnd: number];

function spotOf(node: unknown): Spot | null {
  return (node as { range?: Spot | null } | null)?.range ?? null;
}

/** Ranges in any order; they may overlap. */
export function secretNodes(text: string, document: Document.Parsed): Range[] {
  const ranges: Range[] = [];
  const anchors = new Map<string, unknown[]>();
  const secretValues: unknown[] = [];
  visit(document, {
    Node(_, node) {
      const anchor = isAlias(node) ? undefined : node.anchor;
      if (anchor !== undefined) anchors.set(anchor, [...(anchors.get(anchor) ?? []), node]);
      const range = spotOf(node);
      if (!isScalar(node) || range === null) return;
      // `key:value` without a space is a text, and text of several lines is a file that was pasted.
      const isPasted = typeof node.value === 'string' && /[\r\n]|-----BEGIN/.test(node.value);
      if (isPasted || SECRET_IN_TEXT.test(text.slice(range[0], range[1]))) ranges.push([range[0], range[1]]);
    },
    Map(_, map) {
      for (const [index, pair] of map.items.entries()) {
        if (!isPair(pair) || !(isAlias(pair.key) || isSecretKey(keyText(pair)))) continue;
        const from = afterColon(text, pair);
        hide(text, pair.value, [from, endOf(text, map, index, from)], keyText(pair), ranges);
        secretValues.push(pair.value);
      }
    },
  });
  hideMeant(text, secretValues, anchors, ranges);
  return ranges;
}

/** An alias below a secret key makes a secret of what it stands for, wherever that is written. */
function hideMeant(
  text: string,
  secretValues: readonly unknown[],
  anchors: ReadonlyMap<string, readonly unknown[]>,
  into: Range[],
): void {
  const seen = new Set<string>();
  const open = [...secretValues];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (!isAlias(next) && !isCollection(next)) continue;
    visit(next, {
      Alias(_, { source }) {
        if (seen.has(source)) return;
        seen.add(source);
        for (const meant of anchors.get(source) ?? []) {
          const range = spotOf(meant);
          if (range !== null) hide(text, meant, [range[0], range[1]], '', into);
          open.push(meant);
        }
      },
    });
  }
}

/** Where the value of a pair may begin. */
function afterColon(text: string, { key }: Pair): number {
  const end = spotOf(key)?.[1] ?? 0;
  return end + (colonAt(text, end)?.length ?? 0);
}

/** The colon after a key with the space around it; null where there is none. */
function colonAt(text: string, end: number): string | null {
  const colon = /\s*:[ \t]*/y;
  colon.lastIndex = end;
  return colon.exec(text)?.[0] ?? null;
}

/** The end of what belongs to a pair: in brackets where the next one begins, else the end of the line. */
function endOf(text: string, map: YAMLMap, index: number, from: number): number {
  const { value } = map.items[index] ?? {};
  const spot = spotOf(value);
  if (map.flow === true) {
    const end = Math.max(spot?.[1] ?? from, from);
    const next = spotOf(map.items[index + 1]?.key)?.[0] ?? (spotOf(map)?.[1] ?? end) - 1;
    return /^[\s,]*$/.test(text.slice(end, next)) ? end : next;
  }
  const end = Math.max(spot?.[2] ?? from, from);
  if (end > from && text[end - 1] === '\n') return end;
  const newline = text.indexOf('\n', end);
  return newline === -1 ? text.length : newline;
}

/** Hides a value between two places, but for the structure of a map and its keys. */
function hide(text: string, node: unknown, [from, to]: Range, parent: string, into: Range[]): void {
  if (!isMap(node) || !node.items.every((pair) => isPair(pair) && isScalar(pair.key) && spotOf(pair.key) !== null)) {
    hideAll(text, from, to, into);
    return;
  }
  let at = from;
  for (const pair of node.items) {
    const [start, end] = spotOf(pair.key) ?? [at, at];
    hideGap(text, at, start, into);
    const colon = colonAt(text, end);
    const isShown = colon !== null && !/[:=\n]/.test(text.slice(start, end));
    at = isShown ? end + colon.length : start;
    const spot = spotOf(pair.value);
    const until = Math.max(spot?.[1] ?? 0, at, isShown ? at : end);
    const isFile = isShown && isScalar(pair.value) && spot?.[0] === at && namesFile(parent, keyText(pair));
    if (!isFile) hide(text, isShown ? pair.value : null, [at, until], '', into);
    at = until;
  }
  hideGap(text, at, to, into);
}

/** What stands between two pairs: punctuation, or something that says too much. */
function hideGap(text: string, from: number, to: number, into: Range[]): void {
  if (!/^[\s,{}]*$/.test(text.slice(from, to))) hideAll(text, from, to, into);
}

function hideAll(text: string, from: number, to: number, into: Range[]): void {
  const part = text.slice(from, to);
  const start = from + (part.length - part.trimStart().length);
  const end = from + part.trimEnd().length;
  if (start < end) into.push([start, end]);
}
