/** A directory for `pki`, what a person types, and what the commands say. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pkiCommand } from '../../src/cli/commands/pki.ts';
import type { PkiAction } from '../../src/cli/commands/pki.ts';
import { parseCertificates } from '../../src/formats/x509.ts';
import type { CertificateInfo } from '../../src/formats/x509.ts';
import { parseCrls } from '../../src/formats/crl.ts';
import type { Crl } from '../../src/formats/crl.ts';
import { PromgateError } from '../../src/lib/errors.ts';
import { parseIndex } from '../../src/tls/authority/certificate-index.ts';
import type { CertificateIndex } from '../../src/tls/authority/certificate-index.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { recordingTerminal } from './recording-terminal.ts';
import type { RecordingTerminal } from './recording-terminal.ts';

/** An action without what every one of them has, or has a default for. */
export type Typed = Partial<PkiAction> & Pick<PkiAction, 'action'>;

const DEFAULTS = {
  name: null,
  names: [],
  sans: [],
  permitDns: [],
  permitIp: [],
  passphrase: false,
  days: null,
  keyType: 'p256',
  newKey: false,
  restored: false,
  admin: [],
  step: 'prepare',
  force: false,
  reason: 'unspecified',
  output: 'table',
} as const;

export interface PkiFixture {
  /** Where promgate.yml would be. */
  readonly root: string;
  readonly directory: string;
  readonly clock: FakeClock;
  /** Lines that are typed when something is asked for. */
  typed: string[];
  /** Runs a command, however it ends. */
  run(action: Typed): Promise<RecordingTerminal & { readonly code: number }>;
  /** Runs a command; it must end well. */
  pki(action: Typed): Promise<RecordingTerminal>;
  /** Runs a command that is refused: its code, message and hint. */
  refusal(action: Typed): Promise<{ code: string; text: string }>;
  path(name: string): string;
  text(name: string): string;
  write(name: string, text: string): void;
  has(name: string): boolean;
  mode(name: string): number;
  certificate(name: string): CertificateInfo;
  /** Every one of a file. */
  certificates(name: string): readonly CertificateInfo[];
  index(): CertificateIndex;
  crl(): Crl;
  remove(): void;
}

export function createPkiFixture(): PkiFixture {
  const root = mkdtempSync(join(tmpdir(), 'pki-'));
  const directory = join(root, 'certs');
  const clock = createFakeClock(Math.floor(Date.now() / 1000) * 1000);
  const path = (name: string): string => join(directory, name);
  const text = (name: string): string => readFileSync(path(name), 'utf8');
  const attempt = async (action: Typed): Promise<RecordingTerminal & { readonly code: number }> => {
    const terminal = recordingTerminal();
    const input = { isTerminal: false, read: () => Promise.resolve(fixture.typed.shift() ?? '') };
    const complete = { ...DEFAULTS, configFile: join(root, 'promgate.yml'), directory, ...action } as PkiAction;
    const code = await pkiCommand(complete, terminal, { clock, hostName: 'centre', input });
    return { ...terminal, code };
  };
  const run = async (action: Typed): Promise<RecordingTerminal> => {
    const terminal = await attempt(action);
    if (terminal.code !== 0) throw new Error(terminal.all());
    return terminal;
  };
  const first = <T>(read: { ok: true; value: T[] } | { ok: false; message: string }): T => {
    const [value] = read.ok ? read.value : [];
    if (value === undefined) throw new Error(read.ok ? 'nothing in it' : read.message);
    return value;
  };
  const fixture: PkiFixture = {
    root,
    directory,
    clock,
    typed: [],
    run: attempt,
    pki: run,
    async refusal(action) {
      try {
        const terminal = await run(action);
        throw new Error(`not refused: ${terminal.all()}`);
      } catch (error) {
        if (!(error instanceof PromgateError)) throw error;
        return { code: error.code, text: `${error.message} ${error.hint ?? ''}` };
      }
    },
    path,
    text,
    write: (name, content) => {
      writeFileSync(path(name), content, { mode: 0o600 });
    },
    has: (name) => existsSync(path(name)),
    mode: (name) => statSync(path(name)).mode & 0o777,
    certificate: (name) => first(parseCertificates(text(name))),
    certificates: (name) => {
      const certificates = parseCertificates(text(name));
      if (!certificates.ok) throw new Error(certificates.message);
      return certificates.value;
    },
    index: () => {
      const index = parseIndex(text('ca-index.json'));
      if (!index.ok) throw new Error(index.message);
      return index.value;
    },
    crl: () => first(parseCrls(text('ca.crl'))),
    remove: () => {
      rmSync(root, { recursive: true });
    },
  };
  return fixture;
}
