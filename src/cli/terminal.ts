/**
 * The only writer to the terminal. Rules: results go to standard output; everything else goes to standard error as
 * `promgate: …`, no capital, no full stop; errors as `promgate: error: …` and, where there is a way out,
 * `promgate: hint: …`. Foreign text is escaped before it comes here.
 */

export interface Terminal {
  /** Whether a person reads standard output: secrets that are shown once are shown only then. */
  readonly isTerminal: boolean;
  /** One line, or several, to standard output. */
  out(text: string): void;
  /** One line, or several, to standard error. */
  err(text: string): void;
}

export function processTerminal(): Terminal {
  return {
    isTerminal: process.stdout.isTTY,
    out: (text) => {
      process.stdout.write(`${text}\n`);
    },
    err: (text) => {
      process.stderr.write(`${text}\n`);
    },
  };
}

/** An error and the way out, in the form that every command uses. */
export function printError(terminal: Terminal, message: string, hint?: string): void {
  terminal.err(`promgate: error: ${message}`);
  if (hint !== undefined) terminal.err(`promgate: hint: ${hint}`);
}
