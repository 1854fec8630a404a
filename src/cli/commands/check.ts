/** `promgate check [FILE…]`: the loader that `run` uses, and nothing else. It opens no port and changes no file. */
import { renderProblems } from '../../config/explain.ts';
import { loadConfig } from '../../config/load.ts';
import { isError } from '../../config/parse.ts';
import type { Terminal } from '../terminal.ts';

/**
 * Checks each file and prints every problem in it; warnings do not fail.
 * @returns the exit code: 0 when no file has an error, 1 when one has.
 */
export async function checkCommand(files: readonly string[], terminal: Terminal): Promise<number> {
  let failed = false;
  for (const file of files) {
    const nodeMajor = Number.parseInt(process.versions.node, 10);
    const result = await loadConfig(file, { generation: 1, nodeMajor });
    if (result.problems.length > 0) terminal.err(renderProblems(result.problems, file, result.text));
    failed ||= !result.ok;
    terminal.out(
      result.ok
        ? `${file}: ok${count(result.problems.length, 'warning')}`
        : `${file}: failed${count(result.problems.filter(isError).length, 'error')}`,
    );
  }
  return failed ? 1 : 0;
}

function count(number: number, what: string): string {
  return number === 0 ? '' : `, ${String(number)} ${what}${number === 1 ? '' : 's'}`;
}
