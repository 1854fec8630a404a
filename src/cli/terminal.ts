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
  /** Only where a person reads standard output: a line without its end, cut to the width, over what it wrote before. */
  rewrite?(this: void, text: string): void;
}

export function processTerminal(): Terminal {
  const { stdout } = process;
  for (const stream of [stdout, process.stderr]) {
    // Who reads may leave, and a disk may be full: what is lost then is no reason to end.
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
  }
  return {
    isTerminal: stdout.isTTY,
    ...(stdout.isTTY
      ? {
          rewrite: rewriting(
            (text) => stdout.write(text),
            () => stdout.columns,
          ),
        }
      : {}),
    out: (text) => {
      process.stdout.write(`${text}\n`);
    },
    err: (text) => {
      process.stderr.write(`${text}\n`);
    },
  };
}

function ignore(): void {
  // The log counts what it loses by itself.
}

/** Without control sequences, for terminals that know none: what was longer is covered with blanks. */
export function rewriting(write: (text: string) => void, columns: () => number): (text: string) => void {
  let covered = 0;
  return (text) => {
    // A full line would wrap, and its beginning could not be reached any more.
    const line = text.slice(0, Math.max(1, (columns() || 80) - 1));
    write(line === '' ? `\r${' '.repeat(covered)}\r` : `\r${line.padEnd(covered)}`);
    covered = line.length;
  };
}

/** An error and the way out, in the form that every command uses. */
export function printError(terminal: Terminal, message: string, hint?: string): void {
  terminal.err(`promgate: error: ${message}`);
  if (hint !== undefined) terminal.err(`promgate: hint: ${hint}`);
}
