/** The one error class that carries a stable code and a way out. Expected refusals are values, not these. */

/** One row per code in docs/errors.md. */
export const ERROR_CODES = {
  CONFIG_INVALID: 'The configuration has errors; each is printed with its place.',
  CONFIG_UNREADABLE: 'The configuration file cannot be read.',
  PORT_TAKEN: 'A listen address is in use by another process.',
  LISTEN_FAILED: 'A listen address cannot be opened.',
  ADMIN_UNREACHABLE: 'The running gate does not answer on its admin address.',
  RELOAD_REFUSED: 'The running gate kept its old state because the new configuration has errors.',
  USAGE: 'The command line is wrong.',
  FILE_UNSAFE: 'A file that must be private or our own is not.',
  FILE_WRITE: 'A file cannot be written; what was there before is untouched.',
  PASSWORD_REFUSED: 'A password cannot be stored or verified.',
  ENROLLMENT_REFUSED: 'A gate gave no certificate, or is not the one that was expected.',
  REHEARSAL_IMPOSSIBLE: 'A dry run has no staging directory to ask: nothing was tried.',
  AUTHORITY_REFUSED: 'The own CA is missing, cannot sign, or may not do what was asked.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export class PromgateError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PromgateError';
    this.code = code;
    this.hint = options.hint;
  }
}
