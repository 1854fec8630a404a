/**
 * The steps of a renewal as they happen: for a person one line that is written over, with what came of it left standing;
 * for a file or a pipe one line each. Foreign text is escaped.
 */
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import type { Terminal } from '../terminal.ts';

/** In the order in which an order goes through them. */
const STAGES = ['account', 'order', 'challenge', 'validation', 'issue', 'issued', 'swap'];
/** What is worth keeping in sight. */
const RESULTS: ReadonlySet<string> = new Set(['plan', 'issued', 'cleanup', 'done', 'swap']);

export interface ProgressLine {
  step(step: string, detail: string): void;
  /** The last step stays where it is; whatever is written next has a line of its own. */
  end(): void;
}

export function createProgressLine(terminal: Pick<Terminal, 'out' | 'rewrite'>): ProgressLine {
  const { rewrite } = terminal;
  let isOpen = false;
  let stage = 0;
  return {
    step(step, detail) {
      const line = `${escapeNonPrintable(step).padEnd(12)} ${escapeNonPrintable(detail)}`;
      if (rewrite === undefined) {
        terminal.out(line);
        return;
      }
      const index = STAGES.indexOf(step);
      // A second certificate begins at the beginning; what comes in between does not take the bar back.
      if (index >= 0) stage = step === 'account' ? 1 : Math.max(stage, index + 1);
      if (RESULTS.has(step)) {
        if (isOpen) rewrite('');
        isOpen = false;
        terminal.out(line);
        return;
      }
      rewrite(`[${'#'.repeat(stage).padEnd(STAGES.length, '-')}] ${line}`);
      isOpen = true;
    },
    end() {
      if (isOpen) terminal.out('');
      isOpen = false;
    },
  };
}
