/** The usual scene: a real gate with certificates and one password user, in front of a given upstream. */
import { createAuthority } from './certificates.ts';
import type { Authority, Issued } from './certificates.ts';
import { curl } from './curl.ts';
import type { CurlResult } from './curl.ts';
import { startGate } from './gate.ts';
import type { Gate, GatePorts } from './gate.ts';
import { findProgram } from './programs.ts';
import { runProcess } from './processes.ts';

export const USER = 'prom';
export const PASSWORD = 'correct horse battery staple';

export interface Scene {
  readonly authority: Authority;
  readonly gate: Gate;
  /** A client certificate of the authority: CN and DNS name `central`. */
  readonly client: Issued;
  /** curl with the CA, the password and the arguments; the path is put behind the gate's URL. */
  ask(path: string, ...argv: readonly string[]): Promise<CurlResult>;
  /** Without credentials. */
  askAsStranger(path: string, ...argv: readonly string[]): Promise<CurlResult>;
  stop(): Promise<void>;
}

export interface SceneOptions {
  /** More YAML; `upstreams` at least. */
  readonly yaml: string | ((ports: GatePorts) => string);
  readonly files?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Lines of an htpasswd file made by the real htpasswd; bcrypt of a low cost unless told otherwise. */
export async function htpasswdLine(user: string, password: string, ...argv: readonly string[]): Promise<string> {
  const flags = argv.length === 0 ? ['-B', '-C', '5'] : argv;
  const { stdout } = await runProcess(findProgram('htpasswd'), ['-n', '-b', ...flags, user, password]);
  return `${stdout.trim()}\n`;
}

export async function startScene({ yaml, files = {}, ...options }: SceneOptions): Promise<Scene> {
  const authority = createAuthority('scene');
  const server = authority.issue({ name: 'localhost', sans: ['DNS:localhost', 'IP:127.0.0.1'], purpose: 'server' });
  const client = authority.issue({ name: 'central', sans: ['DNS:central'], purpose: 'client' });
  const gate = await startGate({
    ...options,
    files: {
      'server.crt': server.cert,
      'server.key': server.key,
      'ca.crt': authority.cert,
      '.htpasswd': await htpasswdLine(USER, PASSWORD),
      ...files,
    },
    config: (ports) => `
listen_addresses: ["127.0.0.1:${ports.port}"]
admin_address: 127.0.0.1:${ports.adminPort}
htpasswd_file: .htpasswd
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: ca.crt
  client_auth_type: VerifyClientCertIfGiven
${typeof yaml === 'string' ? yaml : yaml(ports)}
`,
  });
  const fixed = ['-g', '-4', '--cacert', authority.certFile];
  return {
    authority,
    gate,
    client,
    ask: (path, ...argv) => curl(...fixed, '-u', `${USER}:${PASSWORD}`, ...argv, gate.url + path),
    askAsStranger: (path, ...argv) => curl(...fixed, ...argv, gate.url + path),
    async stop() {
      await gate.stop();
      authority.remove();
    },
  };
}
