/**
 * Address groups from which a user has logged in, since the start. Each user has places of its own, so that one with a
 * whole network at its disposal displaces none of the others'; a stranger gets into no place at all.
 */
import { LRUCache } from 'lru-cache';
import type { Users } from '../../config/config.ts';

/** The scrapers of one user and their people; those that have not logged in for the longest time go first. */
const GROUPS_PER_USER = 16;

export interface ProvedAddresses {
  proved(user: string, group: string): void;
  has(group: string): boolean;
  /** Users that the configuration no longer has are forgotten. */
  keep(users: Users): void;
}

export function createProvedAddresses(groupsPerUser = GROUPS_PER_USER): ProvedAddresses {
  const byUser = new Map<string, LRUCache<string, true>>();
  /** By how many users each group is held: asked for at every login that is hashed. */
  const holders = new Map<string, number>();

  function release(group: string): void {
    const left = (holders.get(group) ?? 1) - 1;
    if (left === 0) holders.delete(group);
    else holders.set(group, left);
  }

  return {
    proved(user, group) {
      let groups = byUser.get(user);
      if (groups === undefined) {
        groups = new LRUCache({
          max: groupsPerUser,
          dispose: (_value, gone) => {
            release(gone);
          },
          noDisposeOnSet: true,
        });
        byUser.set(user, groups);
      }
      if (groups.get(group) === undefined) holders.set(group, (holders.get(group) ?? 0) + 1);
      groups.set(group, true);
    },
    has: (group) => holders.has(group),
    keep(users) {
      for (const [user, groups] of byUser) {
        if (users.has(user)) continue;
        groups.clear();
        byUser.delete(user);
      }
    },
  };
}
