/** Rules of `identities`: one credential has one owner, and an entry that nobody can ever be is a mistake. */
import { didYouMean } from '../../formats/suggest.ts';
import type { DocumentPath, Problem } from '../../lib/problem.ts';
import type { CertificateMatcher, Users } from '../config.ts';
import type { RawIdentity, RawMatcher } from '../schema.ts';
import { error, warning } from './rule.ts';
import type { Rule, RuleInput } from './rule.ts';

/** Names that the gate gives itself in logs and metrics. */
const RESERVED = /^(?:anonymous$|certificate(?:$|:)|password:)/;

export const identityRule: Rule = (input) => {
  const identities = input.raw.identities ?? [];
  if (input.raw.identities?.length === 0) {
    const hint = 'remove the key to let every authenticated client do what the kind of the upstream allows';
    return [error('identities is empty: nobody could do anything', ['identities'], { at: 'key', hint })];
  }
  const claims = new Map<string, string>();
  const names = new Set<string>();
  const problems = identities.flatMap((identity, index) => [
    ...nameProblems(identity, index, names),
    ...userProblems(identity, index, input),
    ...matcherProblems(identity, index),
    ...claimProblems(identity, index, claims),
    ...reachProblems(identity, index, input),
    ...emptyProblems(identity, index),
  ]);
  return [...problems, ...unclaimedProblems(input)];
};

/** More names than these nobody reads in a line. */
const MOST_UNCLAIMED = 5;

/** Users whose password is right and who still may do nothing. */
function unclaimedProblems({ raw: { identities }, users, authentication: { authenticate } }: RuleInput): Problem[] {
  const takesPasswords = authenticate === 'password' || authenticate === 'either' || authenticate === 'both';
  if (identities === undefined || users === null || !takesPasswords) return [];
  const claimed = new Set(identities.flatMap(passwordUsersOf));
  const unclaimed = [...users.keys()].filter((user) => !claimed.has(user));
  if (unclaimed.length === 0) return [];
  const named = unclaimed.slice(0, MOST_UNCLAIMED).map((user) => JSON.stringify(user));
  const rest = unclaimed.length - named.length;
  const who = `${named.join(', ')}${rest > 0 ? ` and ${String(rest)} more` : ''}`;
  const subject = unclaimed.length === 1 ? `the user ${who} matches` : `the users ${who} match`;
  const hint = `name the user${unclaimed.length === 1 ? '' : 's'} in password_users of an identity`;
  return [warning(`${subject} no identity and will always be refused (403)`, ['identities'], { at: 'key', hint })];
}

/** The password users of an entry: those written, or, when nothing is, the one of its name. */
export function passwordUsersOf({ name, password_users: users, certificates }: RawIdentity): readonly string[] {
  return users === undefined && certificates === undefined ? [name] : (users ?? []);
}

/** The one matcher of an item of `certificates`; null when there is none, or several. */
export function matcherOf(raw: RawMatcher): CertificateMatcher | null {
  const { san, dns, email, uri, ip, cn, spki } = raw;
  const written = [san, dns, email, uri, ip, cn, spki].filter((matcher) => matcher !== undefined);
  return written.length === 1 ? (written[0] ?? null) : null;
}

function nameProblems({ name }: RawIdentity, index: number, names: Set<string>): Problem[] {
  const path = ['identities', index, 'name'];
  const quoted = JSON.stringify(name);
  if (RESERVED.test(name)) return [error(`the name ${quoted} is one that the gate gives`, path)];
  // eslint-disable-next-line no-control-regex -- it becomes a metric label and a log field
  if (name.length > 128 || /[\x00-\x1f\x7f]/.test(name)) {
    return [error('a name has at most 128 characters and no control characters', path)];
  }
  if (names.has(name)) return [error(`there is another identity ${quoted}`, path)];
  names.add(name);
  return [];
}

/** Warnings: a user who was removed must lose access and nothing else may come of it, whoever still names it. */
function userProblems(identity: RawIdentity, index: number, { users }: RuleInput): Problem[] {
  if (users === null) return [];
  const at = ['identities', index];
  const written = identity.password_users;
  return passwordUsersOf(identity).flatMap((user, item) => {
    if (users.has(user)) return [];
    if (written !== undefined) {
      return [
        warning(`there is no user ${JSON.stringify(user)}`, [...at, 'password_users', item], suggestion(user, users)),
      ];
    }
    const hint = 'add password_users or certificates';
    const message = `the identity has no credentials, and there is no user ${JSON.stringify(user)}`;
    return [warning(message, [...at, 'name'], { hint })];
  });
}

function suggestion(user: string, users: Users): { hint?: string } {
  const near = didYouMean(user, [...users.keys()]);
  return near === null ? {} : { hint: `did you mean ${JSON.stringify(near)}?` };
}

function matcherProblems({ certificates = [] }: RawIdentity, index: number): Problem[] {
  return certificates.flatMap((raw, item) =>
    matcherOf(raw) === null
      ? [
          error('one certificate is named in one way: by san, dns, email, uri, ip, cn or spki', [
            'identities',
            index,
            'certificates',
            item,
          ]),
        ]
      : [],
  );
}

function claimProblems(identity: RawIdentity, index: number, claims: Map<string, string>): Problem[] {
  const found: Problem[] = [];
  const claim = (key: string, what: string, path: DocumentPath) => {
    const owner = claims.get(key);
    if (owner === undefined) claims.set(key, identity.name);
    else found.push(error(`${what} belongs to the identity ${JSON.stringify(owner)} already`, path));
  };
  const written = identity.password_users !== undefined;
  for (const [item, user] of passwordUsersOf(identity).entries()) {
    const path = written ? ['password_users', item] : ['name'];
    claim(`user ${user}`, `the user ${JSON.stringify(user)}`, ['identities', index, ...path]);
  }
  for (const [item, raw] of (identity.certificates ?? []).entries()) {
    const matcher = matcherOf(raw);
    if (matcher === null) continue;
    const wildcard = 'wildcard' in matcher && matcher.wildcard ? '*.' : '';
    const what = `${matcher.by} ${JSON.stringify(wildcard + matcher.value)}`;
    claim(`certificate ${what}`, `the certificate with ${what}`, ['identities', index, 'certificates', item]);
  }
  return found;
}

/** Entries that the way of authentication leaves without a way in. */
function reachProblems(identity: RawIdentity, index: number, { authentication }: RuleInput): Problem[] {
  const { authenticate } = authentication;
  const byPassword = passwordUsersOf(identity).length > 0;
  const byCertificate = (identity.certificates ?? []).length > 0;
  const path = ['identities', index, 'name'];
  const never = `nobody can be ${JSON.stringify(identity.name)}: authenticate is ${authenticate}`;
  if (!byPassword && !byCertificate) {
    const hint = 'without both keys the identity is the password user of its name';
    return [error('the identity has no credentials', path, { hint })];
  }
  if (authenticate === 'none') return [warning(never, path)];
  if (authenticate === 'password' && !byPassword) return [warning(`${never}, and it has certificates only`, path)];
  if (authenticate === 'certificate' && !byCertificate) return [warning(`${never}, and it has passwords only`, path)];
  if (authenticate === 'both' && !(byPassword && byCertificate)) {
    return [warning(`${never}, and it has not both kinds of credentials`, path)];
  }
  return [];
}

function emptyProblems({ allow_from: allowFrom, paths }: RawIdentity, index: number): Problem[] {
  const found: Problem[] = [];
  if (allowFrom?.length === 0) {
    const hint = 'remove the key to admit the identity from everywhere';
    found.push(error('allow_from is empty: from nowhere', ['identities', index, 'allow_from'], { at: 'key', hint }));
  }
  if (paths?.length === 0) {
    const hint = 'remove the key to allow what the kind of the upstream allows';
    found.push(error('paths is empty: nothing would be allowed', ['identities', index, 'paths'], { at: 'key', hint }));
  }
  return found;
}
