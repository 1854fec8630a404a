/** Rules of `caps`: a section that is there caps something, and somebody. */
import { matchesPath } from '../../formats/path-pattern.ts';
import type { DocumentPath, Problem } from '../../lib/problem.ts';
import type { Raw, RawIdentity, RawUpstream } from '../schema.ts';
import type { RawCaps } from '../schema-caps.ts';
import { error, warning } from './rule.ts';
import type { Rule } from './rule.ts';

/** What is measured; held to the scrape path by a test. */
export const CAPPED_PATHS: readonly string[] = ['/federate', '/metrics'];

export const capsRule: Rule = ({ raw, authentication }) => [
  ...emptyProblems(raw.caps, []),
  ...nobodyProblems(raw, authentication.authenticate === 'none'),
  ...(raw.identities ?? []).flatMap((identity, index) => {
    const at = ['identities', index];
    return [...emptyProblems(identity.caps, at), ...uselessProblems(identity, raw.upstreams, at)];
  }),
];

function emptyProblems(caps: RawCaps | undefined, at: DocumentPath): Problem[] {
  if (caps === undefined || Object.values(caps).some((cap) => cap !== undefined)) return [];
  const hint = 'remove the key to cap nothing';
  return [error('caps is empty: nothing would be capped', [...at, 'caps'], { at: 'key', hint })];
}

/** With identities everybody who authenticates has an entry, and is under the caps of that entry alone. */
function nobodyProblems({ caps, identities, exempt }: Raw, isOpen: boolean): Problem[] {
  if (caps === undefined || identities === undefined || isOpen || exempt.length > 0) return [];
  const hint = 'write the caps in the entries of identities';
  return [warning('caps is for clients without an entry in identities: there are none', ['caps'], { at: 'key', hint })];
}

function uselessProblems(identity: RawIdentity, upstreams: readonly RawUpstream[], at: DocumentPath): Problem[] {
  if (identity.caps === undefined || mayScrape(identity, upstreams)) return [];
  const message = `caps has no effect: paths has none of the scrapes (${CAPPED_PATHS.join(', ')})`;
  return [warning(message, [...at, 'caps'], { at: 'key' })];
}

function mayScrape({ paths }: RawIdentity, upstreams: readonly RawUpstream[]): boolean {
  if (paths === undefined) return true;
  const prefixes = upstreams.map(({ path_prefix: prefix }) => (prefix === '/' ? '' : prefix));
  const scrapes = prefixes.flatMap((prefix) => CAPPED_PATHS.map((path) => prefix + path));
  return paths.some((path) =>
    'class' in path ? path.class === 'scrape' : scrapes.some((scrape) => matchesPath(path.pattern, scrape)),
  );
}
