/** The group `htpasswd`: users of the file and of `basic_auth_users`, united. A line with a fault spoils the file. */
import { parseHtpasswd } from '../formats/htpasswd.ts';
import type { UserLine, Users } from './config.ts';
import { modeProblem } from './files.ts';
import type { OperatorFiles } from './files.ts';
import { findings, groupResult } from './groups.ts';
import type { GroupResult } from './groups.ts';
import type { Raw } from './schema.ts';

const PATH = ['htpasswd_file'];

/** Whether the operator set up users. An htpasswd file counts also when it is empty: emptied, it must not open the gate. */
export function hasUsers(raw: Raw): boolean {
  return raw.htpasswd_file !== undefined || raw.basic_auth_users.length > 0;
}

/** Reads the users; several lines of one user are several valid passwords. */
export async function readUsers(raw: Raw, files: OperatorFiles): Promise<GroupResult<Users>> {
  const found = findings();
  const users = new Map<string, UserLine[]>();
  const add = (user: string, line: UserLine) => {
    const lines = users.get(user) ?? [];
    if (!lines.some(({ id }) => id === line.id)) users.set(user, [...lines, line]);
  };
  for (const { user, hash, id } of raw.basic_auth_users) add(user, { id, hash });
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
    for (const { user, hash, id } of entries) add(user, { id, hash });
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
