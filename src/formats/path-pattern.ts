/**
 * What `paths` and `also_allow` may name: one path, or everything below one by a trailing `/*`. Whole segments only:
 * `/a/*` never matches `/ab`. No other wildcard, so that a reader sees at once what a pattern admits.
 */
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

export interface PathPattern {
  /** As written. */
  readonly text: string;
  readonly kind: 'exact' | 'prefix';
  /** `exact`: the path; `prefix`: what a path must begin with, `/` at the end. */
  readonly path: string;
}

/** RFC 3986 pchar without `;`, `*` and `%`: what a request target may hold without any escape. */
const LITERAL = /^[A-Za-z0-9\-._~!$&'()+,=:@/]*$/;

/**
 * Reads a pattern: a path in normal form, or one followed by `/*`, which matches every path that begins with what
 * stands before the star (`/a/*`: `/a/`, `/a/b`, `/a/b/c`, neither `/a` nor `/ab`; `/*`: everything).
 */
export function parsePathPattern(text: string): Parsed<PathPattern> {
  if (!text.startsWith('/')) return unparsed('a path begins with "/"', withSlashHint(text));
  const kind = text.endsWith('/*') ? 'prefix' : 'exact';
  const path = kind === 'prefix' ? text.slice(0, -1) : text;
  if (path.includes('*')) return unparsed('"*" can only be the whole last segment, as in "/api/v1/*"');
  if (/[?#]/.test(path)) return unparsed('a path has no query and no fragment', 'leave out what follows the path');
  if (path.includes('%')) return unparsed('a path pattern has no %-escapes');
  if (!LITERAL.test(path)) return unparsed("a path consists of letters, digits and -._~!$&'()+,=:@");
  if (path.includes('//')) return unparsed('the path has an empty segment', `did you mean ${oneSlash(text)}?`);
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) {
    return unparsed(
      'the path has a dot segment',
      'requests with dot segments are refused; write the path without them',
    );
  }
  return parsed({ text, kind, path });
}

/** A word of the field's own characters gets the slash that it lacks; anything else is not worth repeating. */
function withSlashHint(text: string): string | undefined {
  return text !== '' && text.length <= 64 && parsePathPattern(`/${text}`).ok ? `did you mean "/${text}"?` : undefined;
}

function oneSlash(text: string): string {
  return JSON.stringify(text.replace(/\/{2,}/g, '/'));
}

/** Whether the path of a target in normal form is one that the pattern names. Runs for every request. */
export function matchesPath(pattern: PathPattern, path: string): boolean {
  return pattern.kind === 'exact' ? path === pattern.path : path.startsWith(pattern.path);
}
