/**
 * The secret parts of a document without faults, by the places of its nodes: the value of every key that is secret or
 * unknown, with every anchor, tag, alias and comment from its colon to its end, and whatever stands where the schema has
 * something else. What is shown there is chosen, the rest is hidden.
 */
import { isAlias, isCollection, isMap, isPair, isScalar, isSeq, visit } from 'yaml';
import type { Document, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import type { DocumentPath } from '../lib/problem.ts';
import { keyText } from './place.ts';
import type { Range } from './place.ts';
import { shapeAt } from './schema-keys.ts';
import { isSecretKey, namesFile, namesUrl, SECRET_IN_TEXT } from './secret-keys.ts';
import { isShownKey } from './shown-key.ts';

type Spot = readonly [start: number, valueEnd: number, nodeEnd: number];

function spotOf(node: unknown): Spot | null {
  return (node as { range?: Spot | null } | null)?.range ?? null;
}

export interface SecretNodes {
  /** In any order; they may overlap. */
  readonly ranges: readonly Range[];
  /** Values that must not be in a sentence either, wherever an alias or a missing line has carried them. */
  readonly values: readonly string[];
}

/** Keys of `acme` that take one word for a map. */
const WORD_OR_MAP: ReadonlySet<string> = new Set(['fallback', 'challenge']);

interface Hidden {
  readonly text: string;
  readonly ranges: Range[];
  /** Nodes below secret keys. */
  readonly secret: unknown[];
  readonly values: string[];
}

export function secretNodes(text: string, document: Document.Parsed): SecretNodes {
  const hidden: Hidden = { text, ranges: [], secret: [], values: [] };
  walk(document.contents, [], hidden);
  hideMeant(document, hidden);
  return { ranges: hidden.ranges, values: [...hidden.values, ...hidden.secret.flatMap(textsIn)] };
}

function textsIn(node: unknown): string[] {
  const texts: string[] = [];
  if (isScalar(node)) texts.push(String(node.value));
  if (!isCollection(node)) return texts;
  visit(node, {
    Scalar(at, { value }) {
      if (at !== 'key') texts.push(String(value));
    },
    Pair(_, pair) {
      return keyText(pair).endsWith('_file') ? visit.SKIP : undefined;
    },
  });
  return texts;
}

function walk(node: unknown, path: DocumentPath, hidden: Hidden): void {
  const spot = spotOf(node);
  if (spot === null || isAlias(node)) return;
  const shape = shapeAt(path);
  if (isMap(node)) {
    // `upstreams: {url: …}` lacks its dash and nothing else.
    const place = shape === 'list' ? [...path, 0] : path;
    if (shape === 'free' || shapeAt(place) === 'map') walkMap(node, place, hidden);
    else hideAll(hidden.text, spot[0], spot[1], hidden.ranges);
  } else if (isSeq(node)) {
    if (shape === 'free' || shape === 'list') walkList(node, path, hidden);
    else hideAll(hidden.text, spot[0], spot[1], hidden.ranges);
  } else if (isScalar(node)) {
    walkScalar(node, spot, path, hidden);
  }
}

function walkList(list: YAMLSeq, path: DocumentPath, hidden: Hidden): void {
  for (const [index, item] of list.items.entries()) {
    if (isPair(item)) hideAll(hidden.text, ...endsOf(list), hidden.ranges);
    else walk(item, [...path, index], hidden);
  }
}

function endsOf(node: YAMLSeq): [number, number] {
  const spot = spotOf(node);
  return [spot?.[0] ?? 0, spot?.[1] ?? 0];
}

function walkScalar(node: Scalar, [start, end]: Spot, path: DocumentPath, { text, ranges, values }: Hidden): void {
  const shape = shapeAt(path);
  const key = path.findLast((step) => typeof step === 'string') ?? '';
  const isListItem = shape === 'list' && shapeAt([...path, 0]) === 'leaf';
  const isLeaf = shape === 'leaf' || shape === 'free' || isListItem || WORD_OR_MAP.has(key);
  const source = text.slice(start, end);
  const value = typeof node.value === 'string' ? node.value : '';
  if (!isLeaf) {
    if (value !== '') hideAll(text, start, end, ranges);
    return;
  }
  if (isPasted(source, value)) {
    hideAll(text, start, end, ranges);
    values.push(value);
    return;
  }
  const at = namesUrl(key) ? source.lastIndexOf('@') : -1;
  if (at !== -1) ranges.push([start, start + at]);
  // Two lines run together; what is meant stands in quotes, and selectors have spaces by themselves.
  const blank = /match$|^labels$/.test(key) || /^["']/.test(source) ? -1 : source.search(/\s\S/);
  if (blank !== -1) {
    hideAll(text, start + blank, end, ranges);
    values.push(value.slice(blank).trim());
  }
}

/** `key:value` without a space is a text, and text of several lines is a file that was pasted, or a line too few. */
function isPasted(source: string, value: string): boolean {
  return /[\r\n]/.test(source.trim()) || /[\r\n]|-----BEGIN/.test(value) || SECRET_IN_TEXT.test(source);
}

function walkMap(map: YAMLMap, path: DocumentPath, hidden: Hidden): void {
  const { text, ranges, secret } = hidden;
  const isFree = shapeAt(path) === 'free';
  for (const [index, pair] of map.items.entries()) {
    const key = keyText(pair);
    const from = afterColon(text, pair);
    const whole: Range = [from, endOf(text, map, index, from)];
    const isKnown = isFree || shapeAt([...path, key]) !== null;
    if (key === '<<' && isMap(pair.value)) {
      walk(pair.value, path, hidden);
    } else if (isAlias(pair.key) || isCollection(pair.key)) {
      hideAll(text, spotOf(pair.key)?.[0] ?? from, whole[1], ranges);
      secret.push(pair.key, pair.value);
    } else if (isSecretKey(key)) {
      hide(text, pair.value, whole, key, ranges);
      secret.push(pair.value);
    } else if (isKnown) {
      walk(pair.value, [...path, key], hidden);
    } else {
      hideAll(text, ...whole, ranges);
      const spot = spotOf(pair.key);
      if (spot !== null && !isShownKey(key, path.at(-1), pair.value === null)) ranges.push([spot[0], spot[1]]);
    }
  }
}

/** An alias below a secret key makes a secret of what it stands for, wherever that is written. */
function hideMeant(document: Document.Parsed, { text, ranges, secret }: Hidden): void {
  const anchors = new Map<string, unknown[]>();
  visit(document, {
    Node(_, node) {
      const anchor = isAlias(node) ? undefined : node.anchor;
      if (anchor !== undefined) anchors.set(anchor, [...(anchors.get(anchor) ?? []), node]);
    },
  });
  const seen = new Set<string>();
  const open = [...secret];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (!isAlias(next) && !isCollection(next)) continue;
    visit(next, {
      Alias(_, { source }) {
        if (seen.has(source)) return;
        seen.add(source);
        for (const meant of anchors.get(source) ?? []) {
          const range = spotOf(meant);
          if (range !== null) hide(text, meant, [range[0], range[1]], '', ranges);
          open.push(meant);
          secret.push(meant);
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
    const isShown = colon !== null && !/[:=\s]/.test(text.slice(start, end));
    at = isShown ? end + colon.length : start;
    const spot = spotOf(pair.value);
    const until = Math.max(spot?.[1] ?? 0, at, isShown ? at : end);
    const isFile = isShown && isScalar(pair.value) && spot?.[0] === at && namesFile(parent, keyText(pair));
    const source = text.slice(at, until);
    if (!isFile || /\s/.test(source.trim()) || isPasted(source, String(isScalar(pair.value) && pair.value.value)))
      hide(text, isShown ? pair.value : null, [at, until], '', into);
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
