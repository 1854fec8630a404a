/**
 * Which parts of the configuration's text may not be printed: keys, passwords, hashes, whatever else looks like a
 * secret. Works on text that is not YAML at all; rather one mask too many.
 */
import { isAlias, isMap, isPair, isScalar, isSeq, visit } from 'yaml';
import type { Document } from 'yaml';
import type { Range } from './place.ts';
import { keyText } from './place.ts';

/** Keys whose values are secret, ours and those that people put into the wrong file. */
const SECRET_KEY =
  /^(?:key|client_key|private_key|password|passwd|pass|secret|token|bearer_token|credentials|api_key)$/i;
const USERS_KEY = 'basic_auth_users';
/** A secret key in text that could not be parsed: everything after the colon. */
const SECRET_LINE =
  /(?:^|[\s{,["'-])(?:key|client_key|private_key|password|passwd|pass|secret|token|bearer_token|credentials|api_key)["']?\s*[:=]\s*(\S.*)$/dgi;
const CREDENTIALS = [
  // Password hashes of any scheme, known or not.
  /\$[0-9A-Za-z_-]+\$[^\s"',}\]]+/dg,
  /\{(?:SSHA|SHA|PLAIN|MD5|CRYPT)[^}]{0,8}\}[^\s"',}\]]+/dgi,
  // Credentials in a URL.
  /:\/\/([^\s/@]+)@/dg,
];
const TOKENS = [
  // Lines of a PEM block.
  /^\s*([A-Za-z0-9+/]{40,}={0,2})\s*$/dg,
  // Hexadecimal, and what has letters of both cases and digits: neither a path nor the name of a constant or a host.
  /(?=[a-f-]*\d)[0-9a-f-]{32,}/dg,
  /(?=[A-Za-z+=_-]*\d)(?=[A-Z0-9+=_-]*[a-z])(?=[a-z0-9+=_-]*[A-Z])[A-Za-z0-9+=_-]{32,}/dg,
];
const LONGEST_LINE = 4096;
const SECRET_LOOKS = [...CREDENTIALS, ...TOKENS];

/** A sentence without what looks like credentials: a value that is quoted in it may stand under the wrong key. */
export function maskSentence(sentence: string, mask: string): string {
  return CREDENTIALS.reduce((masked, look) => {
    return masked.replace(look, (_: string, part: unknown) => (typeof part === 'string' ? `://${mask}@` : mask));
  }, sentence);
}

/** Ranges that may not be printed, in the order of the text; they may overlap. */
export function secretRanges(text: string, document: Document.Parsed | null): readonly Range[] {
  // A document without faults says exactly where its values are, and its lines need no guesses but in comments.
  const isExact = document !== null && document.errors.length === 0;
  const ranges: Range[] = [...linewise(text, isExact)];
  if (document !== null) collect(document, ranges);
  return ranges.sort((a, b) => a[0] - b[0]);
}

/** Values of secret keys; an alias there makes a secret of what it stands for, wherever that is written. */
function collect(document: Document.Parsed, ranges: Range[]): void {
  const anchors = new Map<string, unknown[]>();
  visit(document, {
    Node(_, node) {
      const anchor = isAlias(node) ? undefined : node.anchor;
      if (anchor !== undefined) anchors.set(anchor, [...(anchors.get(anchor) ?? []), node]);
    },
  });
  const seen = new Set<string>();
  const open: [unknown, boolean][] = [[document.contents, false]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [current, secret] = next;
    if (isAlias(current)) {
      if (!secret || seen.has(current.source)) continue;
      seen.add(current.source);
      for (const meant of anchors.get(current.source) ?? []) open.push([meant, true]);
    } else if (isScalar(current)) {
      if (secret && current.range) ranges.push([current.range[0], current.range[1]]);
    } else if (isSeq(current)) {
      for (const item of current.items) open.push([item, secret]);
    } else if (isMap(current)) {
      for (const pair of current.items) {
        if (!isPair(pair)) continue;
        const key = keyText(pair);
        open.push([pair.value, secret || key === USERS_KEY || SECRET_KEY.test(key)]);
      }
    }
  }
}

function* linewise(text: string, isExact: boolean): Generator<Range> {
  let start = 0;
  let inUsers = false;
  let inPrivateKey = false;
  for (const line of text.split('\n')) {
    const topLevel = /^(["']?)([A-Za-z_]+)\1\s*:/.exec(line);
    if (topLevel !== null) inUsers = topLevel[2] === USERS_KEY;
    if (inUsers && !isExact) {
      // The name of a user may be shown, what follows its colon may not.
      const colon = line.indexOf(':');
      const after = topLevel === null ? colon + 1 : topLevel[0].length;
      const shown = after + (/^\s*/.exec(line.slice(after))?.[0].length ?? 0);
      if (shown < line.length) yield [start + shown, start + line.length];
    }
    if (line.includes('PRIVATE KEY')) inPrivateKey = line.includes('BEGIN');
    // On a very long line the expressions below would take their time, and nobody reads it.
    if (inPrivateKey || line.length > LONGEST_LINE) yield [start, start + line.length];
    for (const look of line.length > LONGEST_LINE ? [] : [SECRET_LINE, ...SECRET_LOOKS]) {
      const comment = look === SECRET_LINE && isExact ? Math.max(line.indexOf('#'), 0) : 0;
      if (look === SECRET_LINE && isExact && !line.includes('#')) continue;
      for (const match of line.slice(comment).matchAll(look)) {
        const [from, to] = match.indices?.[1] ?? match.indices?.[0] ?? [0, line.length];
        yield [start + comment + from, start + comment + to];
      }
    }
    start += line.length + 1;
  }
}
