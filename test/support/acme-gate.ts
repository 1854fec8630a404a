/** A real gate with an `acme` section, and what it serves. */
import type { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { AcmeDirectory } from '../../src/tls/acme/contract.ts';
import { startGate, type Gate } from './gate.ts';
import { poll } from './poll.ts';
import { htpasswdLine, PASSWORD, USER } from './scene.ts';

/** The first name of its certificate; the second is 127.0.0.1. */
export const NAME = 'gate.example.com';

export interface AcmeGateOptions {
  readonly directory: AcmeDirectory;
  /** YAML of `challenge`; see `httpChallenge`. */
  readonly challenge: string;
  /** YAML of `domains`; default: `NAME` and 127.0.0.1. */
  readonly domains?: string;
  readonly profile?: string;
  /** More YAML of the whole file; default: `authenticate: none`. */
  readonly yaml?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export function httpChallenge(port: number): string {
  return `{listen: "127.0.0.1:${port}"}`;
}

export async function startAcmeGate(options: AcmeGateOptions): Promise<Gate> {
  const { directory, challenge, profile = 'default', yaml = 'authenticate: none', environment } = options;
  const { domains = `[${NAME}, 127.0.0.1]` } = options;
  const password = await htpasswdLine(USER, PASSWORD);
  return startGate({
    files: { 'ca-of-acme.crt': directory.ca ?? '', '.htpasswd': password },
    ...(environment === undefined ? {} : { environment }),
    config: ({ port, adminPort }) => `
listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
acme:
  directory_url: ${directory.url}
  ca_file: ca-of-acme.crt
  domains: ${domains}
  profile: ${profile}
  challenge: ${challenge}
upstreams: [{url: self, path_prefix: /}]
${yaml}
`,
  });
}

/** The certificate that a new connection gets. */
export function served(port: number, servername = NAME): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
      const certificate = socket.getPeerX509Certificate();
      socket.destroy();
      if (certificate === undefined) reject(new Error('no certificate'));
      else resolve(certificate);
    });
    socket.on('error', reject);
  });
}

export const isIssued = ({ issuer }: X509Certificate): boolean => issuer.includes('Pebble');

/** Waits for a certificate of the CA, other than the one with this serial number. @throws Error with the gate's log */
export async function awaitIssued(gate: Gate, before: string | null = null): Promise<X509Certificate> {
  return poll(
    'the gate serves a new certificate of the CA',
    async () => {
      const certificate = await served(gate.port);
      return isIssued(certificate) && certificate.serialNumber !== before && certificate;
    },
    { deadlineMs: 60_000, everyMs: 100 },
  ).catch((error: unknown) => {
    throw new Error(gate.logs(), { cause: error });
  });
}

/** How many attempts ended so. */
export async function attempts(gate: Gate, outcome: string): Promise<number> {
  const series = new RegExp(`^promgate_acme_attempts_total\\{.*outcome="${outcome}"\\} (\\d+)$`, 'gm');
  return [...(await gate.metrics()).matchAll(series)].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** The files of its state directory: name → content. */
export async function stateOf(gate: Gate): Promise<Map<string, string>> {
  const directory = join(gate.directory, 'acme');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json')).toSorted();
  const contents = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return new Map(names.map((name, index) => [name, contents[index] ?? '']));
}
