/** The group `htpasswd`: users of the file and of `basic_auth_users`, united. A line with a fault spoils the file. */
import { costInWords, hashCost, SLOW_HASH_MS } from '../formats/hash-cost.ts';
import { parseHtpasswd } from '../formats/htpasswd.ts';
import type { HtpasswdHash } from '../formats/htpasswd.ts';
import type { Problem } from '../lib/problem.ts';
import type { UserLine, Users } from './config.ts';
import { modeProblem } from './file-mode.ts';
import type { OperatorFiles } from './files.ts';
import { findings, groupResult } from './groups.ts';
import type { GroupResult } from './groups.ts';
import type { Raw } from './schema.ts';

const PATH = ['htpasswd_file'];

/** Whether the operator set up users. An htpasswd file counts also when it is empty: emptied, it must not open the gate. */
export function hasUsers(raw: Raw): boolean {
  return raw.htpasswd_file !== undefined || raw.basic_auth_users.length > 0;
}

/** The toolkit takes any cost; a client that does not wait for so long never gets in. */
function costProblem(user: string, hash: HtpasswdHash, place: Pick<Problem, 'path' | 'file' | 'line'>): Problem | null {
  const cost = hashCost(hash);
  if (cost <= SLOW_HASH_MS) return null;
  const message = `each new login of ${JSON.stringify(user)} takes about ${costInWords(cost)} of a processor core: ${effortOf(hash)}`;
  const hint = 'a cost of 10 to 12 is plenty: make a new hash with `promgate passwd FILE add USER`';
  return { severity: 'warning', message, hint, ...place };
}

function effortOf(hash: HtpasswdHash): string {
  if (hash.scheme === 'bcrypt') return `its bcrypt cost is ${String(hash.cost)}`;
  return 'rounds' in hash ? `its hash has rounds=${String(hash.rounds)}` : '';
}

/** Reads the users; several lines of one user are several valid passwords. */
export async function readUsers(raw: Raw, files: OperatorFiles): Promise<GroupResult<Users>> {
  const found = findings();
  const users = new Map<string, UserLine[]>();
  const add = (user: string, line: UserLine) => {
    const lines = users.get(user) ?? [];
    if (!lines.some(({ id }) => id === line.id)) users.set(user, [...lines, line]);
  };
  for (const { user, hash, id } of raw.basic_auth_users) {
    add(user, { id, hash });
    const cost = costProblem(user, hash, { path: ['basic_auth_users', user] });
    if (cost !== null) found.problems.push(cost);
  }
  if (raw.htpasswd_file !== undefined) {
    const file = await files.read(raw.htpasswd_file, { path: PATH, source: 'htpasswd' });
    if (!file.ok) {
      found.problems.push(file.problem);
      return groupResult(found, users);
    }
    const { entries, faults } = parseHtpasswd(file.text);
    for (const { line, message, hint } of faults) {
      const way = hint === undefined ? {} : { hint };
      found.problems.push({ severity: 'error', message, ...way, file: file.name, line, path: PATH });
    }
    for (const { user, hash, id, line } of entries) {
      add(user, { id, hash });
      const cost = costProblem(user, hash, { file: file.name, line, path: PATH });
      if (cost !== null) found.problems.push(cost);
    }
    const open = modeProblem(file, PATH, 'group');
    if (open !== null) found.problems.push(open);
    if (entries.length === 0 && faults.length === 0) {
      const hint = `promgate passwd ${file.name} add USER`;
      found.problems.push({
        severity: 'warning',
        message: `${JSON.stringify(file.name)} has no user`,
        hint,
        path: PATH,
      });
    }
  }
  return groupResult(found, users);
}
