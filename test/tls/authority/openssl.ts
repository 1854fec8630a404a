/** A directory of files for the real openssl, and what it says of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '../../support/processes.ts';
import type { Finished } from '../../support/processes.ts';

export interface Workbench {
  /** Writes a file; returns its path. */
  file(name: string, text: string): string;
  openssl(...argv: readonly string[]): Promise<Finished>;
  remove(): void;
}

export function createWorkbench(): Workbench {
  const directory = mkdtempSync(join(tmpdir(), 'authority-'));
  return {
    file(name, text) {
      const path = join(directory, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    },
    openssl: (...argv) => runProcess('openssl', argv, { cwd: directory }),
    remove: () => {
      rmSync(directory, { recursive: true });
    },
  };
}
