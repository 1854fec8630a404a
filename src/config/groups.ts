/** What a group of files gives when it is read: all of it, or nothing and the reasons. */
import type { DocumentPath, Parsed, Problem } from '../lib/problem.ts';
import type { FileText } from './files.ts';

export type GroupResult<T> =
  | { readonly ok: true; readonly value: T; readonly problems: readonly Problem[] }
  /** `settling`: the files do not fit each other, as they do while one of them is being replaced. */
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly settling: boolean };

/** Collects the problems of a group; what is an error decides over the whole. */
export interface Findings {
  readonly problems: Problem[];
  settling: boolean;
}

export function findings(): Findings {
  return { problems: [], settling: false };
}

export function groupResult<T>({ problems, settling }: Findings, value: T): GroupResult<T> {
  const failed = problems.some(({ severity }) => severity === 'error');
  return failed ? { ok: false, problems, settling } : { ok: true, value, problems };
}

/**
 * The value of a parser, or its fault: at its line in the file, or, when the fault has none, where the YAML names the file
 * (null: the text stands in the YAML itself).
 */
export function take<T>(result: Parsed<T>, into: Findings, path: DocumentPath, file: FileText | null): T | null {
  if (result.ok) return result.value;
  const { message, hint, line } = result;
  const way = hint === undefined ? {} : { hint };
  const inFile = file !== null && line !== undefined;
  into.problems.push({
    severity: 'error',
    message: file === null || inFile ? message : `${JSON.stringify(file.name)}: ${message}`,
    path,
    ...way,
    ...(inFile ? { file: file.name, line } : {}),
  });
  return null;
}

/** An instant as a day and a time that a person reads. */
export function formatTime(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z') : 'no time';
}
