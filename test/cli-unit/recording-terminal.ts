/** A terminal that keeps what is written to it. */
import type { Terminal } from '../../src/cli/terminal.ts';

export interface RecordingTerminal extends Terminal {
  readonly stdout: string[];
  readonly stderr: string[];
  /** Both, as one text. */
  all(): string;
}

export function recordingTerminal(isTerminal = false): RecordingTerminal {
  const stdout: string[] = [];
  const stderr: string[] = [];
  return {
    isTerminal,
    stdout,
    stderr,
    out: (text) => {
      stdout.push(text);
    },
    err: (text) => {
      stderr.push(text);
    },
    all: () => [...stdout, ...stderr].join('\n'),
  };
}
