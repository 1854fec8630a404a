/** A directory of its own for `init`, a machine that the test describes, and what is in the directory afterwards. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initCommand } from '../../src/cli/commands/init.ts';
import type { InitEnvironment } from '../../src/cli/init/environment.ts';
import { parseCertificates } from '../../src/formats/x509.ts';
import type { CertificateInfo } from '../../src/formats/x509.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { recordingTerminal } from './recording-terminal.ts';
import type { RecordingTerminal } from './recording-terminal.ts';

export const DAY_MS = 86_400_000;

export interface InitRun {
  readonly code: number;
  readonly terminal: RecordingTerminal;
}

export interface InitFixture {
  readonly directory: string;
  readonly clock: FakeClock;
  /** What the machine is like; tests change it. */
  machine: { hostName: string; addresses: string[]; hasPrometheus: boolean };
  /** Where `init` has looked for a Prometheus. */
  readonly probed: string[];
  init(options?: { renew?: boolean; isTerminal?: boolean; directory?: string; prometheus?: string }): Promise<InitRun>;
  path(...names: readonly string[]): string;
  text(...names: readonly string[]): string;
  certificate(name: string): CertificateInfo;
  /** Every file with its content, mode, inode and time of change. */
  snapshot(): Record<string, string>;
  remove(): void;
}

export function createInitFixture(): InitFixture {
  const directory = mkdtempSync(join(tmpdir(), 'init-'));
  const clock = createFakeClock(Math.floor(Date.now() / 1000) * 1000);
  const path = (...names: readonly string[]): string => join(directory, ...names);
  const text = (...names: readonly string[]): string => readFileSync(path(...names), 'utf8');
  const fixture: InitFixture = {
    directory,
    clock,
    machine: { hostName: 'site-a', addresses: ['192.0.2.7', '2001:db8::7'], hasPrometheus: false },
    probed: [],
    path,
    text,
    async init({ renew = false, isTerminal = false, directory: other = directory, prometheus } = {}) {
      const terminal = recordingTerminal(isTerminal);
      const { hostName, addresses, hasPrometheus } = fixture.machine;
      const probe = (origin: string): Promise<boolean> => {
        fixture.probed.push(origin);
        return Promise.resolve(hasPrometheus);
      };
      const environment: InitEnvironment = { clock, hostName, addresses, probe };
      const options = { directory: other, renew, ...(prometheus === undefined ? {} : { prometheus }) };
      return { code: await initCommand(options, terminal, environment), terminal };
    },
    certificate(name) {
      const certificates = parseCertificates(text('certs', `${name}.crt`));
      const [first] = certificates.ok ? certificates.value : [];
      if (first === undefined) throw new Error(`no certificate in ${name}.crt`);
      return first;
    },
    snapshot() {
      const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      return Object.fromEntries(
        files.map((entry) => {
          const file = join(entry.parentPath, entry.name);
          const { mode, ino, mtimeMs } = statSync(file);
          const content = readFileSync(file, 'latin1');
          return [file.slice(directory.length + 1), `${(mode & 0o777).toString(8)} ${ino} ${mtimeMs} ${content}`];
        }),
      );
    },
    remove: () => {
      rmSync(directory, { recursive: true });
    },
  };
  return fixture;
}
