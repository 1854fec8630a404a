/** The users of one configuration, made ready for checks: their generation, and who stands in for a stranger. */
import { createHash } from 'node:crypto';
import type { UserLine, Users } from '../../config/config.ts';
import type { KeyedDigest } from './keyed-digest.ts';

export interface Subject {
  /** False: nobody of that name is configured; `lines` are the stand-in's and can never log in. */
  readonly isKnown: boolean;
  /** The configured user whose lines are verified; null when there are no users at all. */
  readonly costsLike: string | null;
  readonly lines: readonly UserLine[];
}

export interface CredentialSet {
  /** The same for the same users and lines, whatever else was reloaded. */
  readonly generation: string;
  readonly users: Users;
  /** @returns the user, or for an unknown name a real user chosen by a keyed digest of the name: the same each time. */
  subjectOf(user: string): Subject;
}

export function createCredentialSet(users: Users, digest: KeyedDigest): CredentialSet {
  const names = [...users.keys()].filter((name) => (users.get(name)?.length ?? 0) > 0).sort();
  const hash = createHash('sha256');
  for (const name of names) hash.update(JSON.stringify([name, ...(users.get(name) ?? []).map(({ id }) => id)]));
  return {
    generation: hash.digest('hex'),
    users,
    subjectOf(user) {
      const lines = users.get(user);
      if (lines !== undefined && lines.length > 0) return { isKnown: true, costsLike: user, lines };
      const choice = Buffer.from(digest('stand-in', user), 'base64url').readUIntBE(0, 6);
      const standIn = names[choice % names.length];
      if (standIn === undefined) return { isKnown: false, costsLike: null, lines: [] };
      return { isKnown: false, costsLike: standIn, lines: users.get(standIn) ?? [] };
    },
  };
}

/** Users whose accepted passwords differ between two sets: added, removed, or with other lines. */
export function changedUsers(before: Users, after: Users): string[] {
  const ids = (users: Users, name: string) => (users.get(name) ?? []).map(({ id }) => id).join();
  return [...new Set([...before.keys(), ...after.keys()])].filter((name) => ids(before, name) !== ids(after, name));
}
