/**
 * `run --log.format=json`: what would be drawn for a person, or printed by Node itself, is a line of the log like all
 * others, so that whoever reads the log can parse every line of it.
 */
import { tellProblems } from '../config/explain.ts';
import type { LoadResult } from '../config/load.ts';
import { PromgateError } from '../lib/errors.ts';
import type { Log } from '../observe/ports.ts';

/** Each problem as a line with its place and its hint. */
export function logProblems({ problems, text }: Pick<LoadResult, 'problems' | 'text'>, file: string, log: Log): void {
  for (const { severity, place, message, hint } of tellProblems(problems, file, text)) {
    const fields = { place, ...(hint === null ? {} : { hint }) };
    if (severity === 'error') log.error(fields, message);
    else log.warn(fields, message);
  }
}

/** Runs to the end; an error that would be printed is logged, and so is what Node warns of. */
export async function runLogged(log: Log, run: () => Promise<number>): Promise<number> {
  const others = process.listeners('warning');
  const warn = (warning: Error): void => {
    // The YAML library quotes what it warns of, and that may be a secret.
    const detail = warning.name.startsWith('YAML') ? {} : { detail: warning.message };
    log.warn({ warning: warning.name, ...detail }, 'Node.js warns');
  };
  process.removeAllListeners('warning');
  process.on('warning', warn);
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof PromgateError)) {
      log.error({ err: error }, 'ended by a defect');
      return 1;
    }
    log.error({ code: error.code, ...(error.hint === undefined ? {} : { hint: error.hint }) }, error.message);
    return error.code === 'USAGE' ? 2 : 1;
  } finally {
    process.off('warning', warn);
    for (const other of others) process.on('warning', other);
  }
}
