/** A path in the YAML document → the range of text that the caret points at. Pure. */
import { isAlias, isMap, isNode, isPair, isScalar, isSeq } from 'yaml';
import type { Document, Pair, YAMLMap } from 'yaml';
import type { DocumentPath } from '../lib/problem.ts';

/** Offsets in the text, the end excluded. */
export type Range = readonly [start: number, end: number];

interface Found {
  readonly key: Range | null;
  readonly value: Range | null;
}

function rangeOf(node: unknown): Range | null {
  const range = (node as { range?: readonly [number, number, number] | null } | null)?.range;
  return range === undefined || range === null ? null : [range[0], range[1]];
}

/** The key of a pair as the schema sees it. */
export function keyText({ key }: Pair): string {
  if (isScalar(key)) return typeof key.value === 'string' ? key.value : '';
  return isNode(key) ? key.toString() : '';
}

function pairOf(map: YAMLMap, key: string): Pair | null {
  const found = map.items.find((pair) => isPair(pair) && keyText(pair) === key);
  return found ?? null;
}

/**
 * Where the node at `path` stands; as far as the path goes, so that what is missing points at the map it is missing from.
 */
function find(document: Document.Parsed, path: DocumentPath): Found {
  let node: unknown = document.contents;
  let found: Found = { key: null, value: rangeOf(node) };
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      if (node === undefined) return found;
      found = { key: null, value: rangeOf(node) ?? found.value };
    } else if (isMap(node)) {
      const pair = pairOf(node, String(step));
      if (pair === null) return found;
      node = pair.value;
      const key = rangeOf(pair.key);
      found = { key: key ?? found.key, value: rangeOf(node) ?? key };
    } else {
      return found;
    }
  }
  return found;
}

/** Whether the key at `path` has no colon behind it, as in `{key}`. */
export function isBareKey(document: Document.Parsed, path: DocumentPath): boolean {
  const parent = document.getIn(path.slice(0, -1), true);
  const map = path.length === 1 ? document.contents : isAlias(parent) ? parent.resolve(document) : parent;
  return isMap(map) && pairOf(map, String(path.at(-1)))?.value === null;
}

/**
 * @param at what of the node the caret points at. `map` is for a key that is missing: the key of the map it is missing
 * from. A value without text (`key:`) is shown at its key.
 */
export function rangeAt(document: Document.Parsed, path: DocumentPath, at: 'key' | 'value' | 'map'): Range | null {
  const { key, value } = find(document, path);
  const chosen = at === 'value' ? value : (key ?? value);
  if (chosen !== null && chosen[0] === chosen[1]) return key ?? chosen;
  return chosen;
}
