/** The keys that the schema knows at a place in the file: for "did you mean", and to hold the documentation to them. */
import type { DocumentPath } from '../lib/problem.ts';
import { schema } from './schema.ts';

/** The few fields of a zod definition that lead to what is inside it. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, Node>>;
  readonly element?: Node;
  readonly innerType?: Node;
  readonly in?: Node;
  readonly out?: Node;
  readonly defaultValue?: unknown;
}

interface Node {
  readonly def: Definition;
}

/** Walks through optional, default and preprocess to the map or list inside; null for a leaf. */
function container(node: Node): { shape?: Readonly<Record<string, Node>>; element?: Node } | null {
  const { def } = node;
  if (def.shape !== undefined) return { shape: def.shape };
  if (def.element !== undefined) return { element: def.element };
  const inner = def.innerType ?? def.out;
  return inner === undefined || def.type === 'transform' ? null : container(inner);
}

/** null where the schema has nothing. */
function nodeAt(path: DocumentPath): Node | null {
  let node: Node | undefined = schema as unknown as Node;
  for (const step of path) {
    const inside: ReturnType<typeof container> = node === undefined ? null : container(node);
    node = typeof step === 'number' ? inside?.element : ownNode(inside?.shape, step);
  }
  return node ?? null;
}

/** The keys of the map at a path; empty when there is no such map, or any key goes. */
export function keysAt(path: DocumentPath): readonly string[] {
  const node = nodeAt(path);
  const inside = node === null ? null : container(node);
  return Object.keys(inside?.shape ?? {});
}

/** Maps whose keys the operator chooses. */
const FREE_MAPS: ReadonlySet<string> = new Set(['basic_auth_users', 'labels', 'set_headers']);

/**
 * What belongs at a path: `leaf` is one scalar, `free` a map with keys of the operator's, or what is below it; null where
 * no key of the schema leads.
 */
export function shapeAt(path: DocumentPath): 'map' | 'list' | 'leaf' | 'free' | null {
  const free = path.findIndex((step) => typeof step === 'string' && FREE_MAPS.has(step));
  if (free !== -1) return nodeAt(path.slice(0, free + 1)) === null ? null : 'free';
  const node = nodeAt(path);
  if (node === null) return null;
  const inside = container(node);
  if (inside === null) return 'leaf';
  return inside.shape === undefined ? 'list' : 'map';
}

function ownNode(shape: Readonly<Record<string, Node>> | undefined, key: string): Node | undefined {
  return shape !== undefined && Object.hasOwn(shape, key) ? shape[key] : undefined;
}

export interface SchemaKey {
  /** The keys that lead there; lists are passed through. */
  readonly path: readonly string[];
  /** As it would be written; undefined when there is none. */
  readonly default: unknown;
  /** `leaves` is a list of scalars, `section` a map or a list of maps. */
  readonly holds: 'leaf' | 'leaves' | 'section';
}

/** Every key of the schema, in its order. */
export function schemaKeys(): readonly SchemaKey[] {
  return keysBelow(schema as unknown as Node, []);
}

function keysBelow(node: Node, path: readonly string[]): SchemaKey[] {
  const inside = container(node);
  if (inside?.element !== undefined) return keysBelow(inside.element, path);
  return Object.entries(inside?.shape ?? {}).flatMap(([key, value]) => {
    const here = [...path, key];
    const written = value.def.type === 'prefault' ? value.def.defaultValue : undefined;
    return [{ path: here, default: written, holds: holdings(value, key) }, ...keysBelow(value, here)];
  });
}

function holdings(node: Node, key: string): SchemaKey['holds'] {
  const inside = container(node);
  if (FREE_MAPS.has(key) || inside?.shape !== undefined) return 'section';
  if (inside?.element === undefined) return 'leaf';
  return container(inside.element) === null ? 'leaves' : 'section';
}

/** The maps that have a key of this name: a key at the wrong level is the commonest mistake. */
export function homesOf(key: string): readonly string[] {
  return schemaKeys()
    .filter(({ path }) => path.length > 1 && path.at(-1) === key)
    .map(({ path }) => path.slice(0, -1).join('.'));
}
