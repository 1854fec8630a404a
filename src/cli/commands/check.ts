/** `promgate check [FILE…]`: the loader that `run` uses, and nothing else. It opens no port and changes no file. */
import { renderProblems } from '../../config/explain.ts';
import { loadConfig } from '../../config/load.ts';
import { isError } from '../../config/parse.ts';
import { becomeUser, processUser } from '../process-user.ts';
import type { Terminal } from '../terminal.ts';

export interface CheckOptions {
  /** Look as this user, who runs the gate: what root can read says nothing. */
  readonly user?: string;
}

/**
 * Checks each file and prints every problem in it; warnings do not fail.
 * @returns the exit code: 0 when no file has an error, 1 when one has.
 * @throws {PromgateError} USAGE when it cannot look as that user.
 */
export async function checkCommand(
  files: readonly string[],
  terminal: Terminal,
  { user }: CheckOptions = {},
): Promise<number> {
  if (user !== undefined) becomeUser(user);
  const reader = processUser();
  let failed = false;
  for (const file of files) {
    const nodeMajor = Number.parseInt(process.versions.node, 10);
    const result = await loadConfig(file, { generation: 1, nodeMajor, reader });
    // A gate starts with a certificate that every client refuses, since it may renew it; whoever asks is to hear of it.
    const problems = result.problems.map((problem) =>
      problem.servesNobody ? { ...problem, severity: 'error' as const } : problem,
    );
    const isOk = !problems.some(isError) && result.ok;
    if (problems.length > 0) terminal.err(renderProblems(problems, file, result.text));
    failed ||= !isOk;
    terminal.out(
      isOk
        ? `${file}: ok${count(problems.length, 'warning')}`
        : `${file}: failed${count(problems.filter(isError).length, 'error')}`,
    );
  }
  return failed ? 1 : 0;
}

/** As whom `check` looked: another user may read less, or more. */
export function tellWho(terminal: Terminal): void {
  const who = processUser();
  if (who === null) return;
  const name = who.name ?? 'a user without a name';
  terminal.err(`promgate: looked as ${name} (uid ${String(who.uid)})`);
  if (who.uid === 0) terminal.err('promgate: hint: root reads everything: --user=NAME looks as the user of the gate');
}

function count(number: number, what: string): string {
  return number === 0 ? '' : `, ${String(number)} ${what}${number === 1 ? '' : 's'}`;
}
