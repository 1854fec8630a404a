/** The host of an own CA, made with `promgate pki` as docs/pki.md says, and of a gate that goes with it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promgate, startGate } from './gate.ts';
import type { Gate } from './gate.ts';
import { runProcess } from './processes.ts';
import type { Finished } from './processes.ts';
import { findProgram } from './programs.ts';

const MAIN = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url));

export interface AuthorityHost {
  readonly directory: string;
  /** The path of a file beside the CA. */
  certs(name: string): string;
  /** Runs `promgate pki`. @returns its standard output. @throws Error with all that it printed when it fails. */
  pki(...argv: readonly string[]): Promise<string>;
  /**
   * A gate that serves with the certificate of the CA, and takes only clients that show one of it.
   * @param lines the rest of promgate.yml.
   */
  startGate(lines: string): Promise<Gate>;
  remove(): Promise<void>;
}

/** With a CA, and a server certificate of it for loopback. */
export async function createAuthorityHost(): Promise<AuthorityHost> {
  const directory = await mkdtemp(join(tmpdir(), 'promgate-authority-'));
  const certs = (name: string): string => join(directory, 'certs', name);
  const pki = async (...argv: readonly string[]): Promise<string> => {
    const finished = await promgate(['pki', ...argv], { cwd: directory });
    if (finished.code !== 0) throw new Error(finished.stdout + finished.stderr);
    return finished.stdout;
  };
  await pki('init', '--name=fleet');
  await pki('issue', 'server', 'localhost', '127.0.0.1');
  return {
    directory,
    certs,
    pki,
    startGate: (lines) =>
      startGate({
        config: ({ port, adminPort }) => `
listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
authenticate: certificate
tls_server_config:
  cert_file: ${certs('localhost.crt')}
  key_file: ${certs('localhost.key')}
  client_ca_file: ${certs('ca.crt')}
  client_crl_files: [${certs('ca.crl')}]
${lines}
`,
      }),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** The command and the token, as `pki token` prints them. */
export function readToken(printed: string): { readonly command: string; readonly token: string } {
  const [command = '', token = ''] = printed.split('\n').filter((line) => !line.startsWith('#'));
  return { command, token };
}

/** Runs a line as somebody pastes it into a shell, with `promgate` in its path. */
export function paste(line: string, { cwd, input = '' }: { cwd: string; input?: string }): Promise<Finished> {
  const script = `promgate() { '${process.execPath}' '${MAIN}' "$@"; }; ${line}`;
  return runProcess(findProgram('bash'), ['-c', script], { cwd, input });
}

/** In upper-case hex. */
export async function serialOf(file: string): Promise<string> {
  const { stdout } = await runProcess('openssl', ['x509', '-in', file, '-noout', '-serial']);
  return stdout.trim().replace('serial=', '');
}
