/**
 * Text → YAML document. The text may be anything: it is bounded in size and depth before it is composed, because deep
 * nesting ends the process inside the regular expressions of the composer, where nothing can catch it.
 */
import { Composer, isAlias, isCollection, isScalar, LineCounter, Parser, visit } from 'yaml';
import type { CST, Document } from 'yaml';
import { collectionKey, SENTENCES, syntaxFaults, unquotedAddress } from './yaml-faults.ts';
import type { YamlFault } from './yaml-faults.ts';

/** A file of 4096 users has about 400 kB. */
export const LARGEST_YAML = 1024 * 1024;
const DEEPEST = 32;

export interface YamlText {
  /** null when it could not be composed at all. */
  readonly document: Document.Parsed | null;
  readonly faults: readonly YamlFault[];
  readonly lines: LineCounter;
}

function depthOf(token: CST.Token): number {
  let deepest = 0;
  const open: [CST.Token, number][] = [[token, 1]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [current, depth] = next;
    if (depth > deepest) deepest = depth;
    if (current.type === 'document') {
      if (current.value !== undefined) open.push([current.value, depth]);
    } else if ('items' in current) {
      for (const item of current.items) {
        if ('key' in item && item.key) open.push([item.key, depth + 1]);
        if (item.value !== undefined) open.push([item.value, depth + 1]);
      }
    }
  }
  return deepest;
}

/** Where a bracket is that nothing closes: the innermost one, since what follows belongs to it. */
function unclosedBracket(token: CST.Token): YamlFault | null {
  let last: CST.FlowCollection | null = null;
  const open: CST.Token[] = [token];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.type === 'document') {
      if (next.value !== undefined) open.push(next.value);
      continue;
    }
    if (!('items' in next)) continue;
    if (next.type === 'flow-collection' && !isClosed(next) && next.start.offset > (last?.start.offset ?? -1))
      last = next;
    for (const item of next.items) {
      if ('key' in item && item.key) open.push(item.key);
      if (item.value !== undefined) open.push(item.value);
    }
  }
  if (last === null) return null;
  const { source, offset } = last.start;
  const closing = source === '{' ? '}' : ']';
  return {
    severity: 'error',
    message: `this ${source} is never closed by a ${closing}`,
    range: [offset, offset + 1],
  };
}

/** Where a quote opens that nothing closes. */
function unclosedQuote(tokens: readonly CST.Token[]): YamlFault | undefined {
  let last: CST.FlowScalar | undefined;
  const open: CST.Token[] = [...tokens];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.type === 'document' && next.value !== undefined) open.push(next.value);
    if (next.type === 'double-quoted-scalar' || next.type === 'single-quoted-scalar') {
      const quote = next.type === 'double-quoted-scalar' ? '"' : "'";
      const isShut = next.source.length > 1 && next.source.endsWith(quote);
      if (!isShut && next.offset > (last?.offset ?? -1)) last = next;
    }
    for (const item of 'items' in next ? next.items : []) {
      if ('key' in item && item.key) open.push(item.key);
      if (item.value !== undefined) open.push(item.value);
    }
  }
  if (last === undefined) return undefined;
  return { severity: 'error', message: 'this quote is never closed', range: [last.offset, last.offset + 1] };
}

function isClosed({ start, end }: CST.FlowCollection): boolean {
  return end.some(({ type }) => type === (start.source === '{' ? 'flow-map-end' : 'flow-seq-end'));
}

/** Aliases that stand for nothing, or for what they are in; the composer leaves them to whoever resolves them. */
function aliasFaults(document: Document.Parsed): YamlFault[] {
  const anchors = new Set<string>();
  const faults: YamlFault[] = [];
  visit(document, {
    Node(_, node, ancestors) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.add(node.anchor);
        return;
      }
      const isWithin = ancestors.some((outer) => 'anchor' in outer && outer.anchor === node.source);
      if (anchors.has(node.source) && !isWithin) return;
      const [start, end] = node.range ?? [0, 1];
      faults.push({ severity: 'error', message: SENTENCES['BAD_ALIAS'] ?? '', range: [start, end] });
    },
  });
  return faults;
}

/**
 * Maps and lists where a key belongs: `{{ name }}` of a template that was never rendered is one. The package would make a
 * text of them, and say so on stderr with all that is in them.
 */
function keyFaults(text: string, document: Document.Parsed): YamlFault[] {
  const faults: YamlFault[] = [];
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key) || key === null || key === undefined) return;
      const meant = isAlias(key) ? key.resolve(document) : key;
      if (!isCollection(meant)) return;
      const [start] = (key as { range?: readonly [number, number, number] | null }).range ?? [0];
      faults.push(unquotedAddress(text, start) ?? collectionKey(start));
      return visit.SKIP;
    },
  });
  return faults;
}

/** Scalars stay text (schema `failsafe`), but for YAML's ways to write nothing. */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const tooDeep = tokens.find((token) => depthOf(token) > DEEPEST);
  if (tooDeep !== undefined) {
    const range: [number, number] = [tooDeep.offset, tooDeep.offset + 1];
    return { document: null, faults: [{ severity: 'error', message: 'nested too deeply', range }], lines };
  }
  const composer = new Composer({
    schema: 'failsafe',
    customTags: (tags) => [...tags, 'null'],
    // web.yml is read by a parser that knows `<<`.
    merge: true,
    uniqueKeys: true,
    // Its warnings repeat pieces of the file, on stderr.
    logLevel: 'silent',
  });
  const [document, ...others] = [...composer.compose(tokens, true, text.length)];
  const faults: YamlFault[] = [];
  const unclosed = tokens.map(unclosedBracket).find((fault) => fault !== null);
  const syntax = syntaxFaults(text, document?.errors ?? [], unclosedQuote(tokens) ?? unclosed);
  faults.push(...syntax);
  const isNew = ({ range: [start] }: YamlFault) => !syntax.some(({ range }) => range[0] === start);
  if (document !== undefined) faults.push(...aliasFaults(document).filter(isNew));
  // What is a key in a text that is not YAML nobody knows.
  if (document?.errors.length === 0) faults.push(...keyFaults(text, document));
  for (const { code, pos } of document?.warnings ?? []) {
    // `!!int 5` says what the schema knows anyway.
    if (!text.startsWith('!!', pos[0])) {
      faults.push({ severity: 'warning', message: SENTENCES[code] ?? 'this is unusual YAML', range: pos });
    }
  }
  // A `---` at the end begins a document without anything in it.
  const second = others.find(({ contents }) => !isScalar(contents) || (contents.value ?? '') !== '');
  if (second !== undefined) {
    faults.push({
      severity: 'error',
      message: SENTENCES['MULTIPLE_DOCS'] ?? '',
      range: [second.range[0], second.range[0] + 1],
    });
  }
  return { document: document ?? null, faults, lines };
}
