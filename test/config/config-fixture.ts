/** A directory with every file that the test configurations name, real certificates among them. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../support/certificates.ts';
import type { Authority } from '../support/certificates.ts';

export interface ConfigFixture {
  readonly directory: string;
  readonly clientCa: Authority;
  /** Writes a file beside the others, 0600 unless told. @returns its path */
  write(name: string, content: string, mode?: number): string;
  read(name: string): string;
  path(name: string): string;
  /** Puts every file back as it was at first. */
  reset(): void;
  remove(): void;
}

/** A line as the real htpasswd writes it. */
export function htpasswdLine(user: string, password: string): string {
  return execFileSync('htpasswd', ['-nbB', '-C', '4', user, password], { encoding: 'utf8' }).trim();
}

export function createConfigFixture(): ConfigFixture {
  const directory = mkdtempSync(join(tmpdir(), 'promgate-config-'));
  const authority = createAuthority('Server CA');
  const clientCa = createAuthority('Client CA');
  const foreignCa = createAuthority('Foreign CA');
  const path = (name: string) => join(directory, name);
  const initial = new Map<string, string>();
  const write = (name: string, content: string, mode = 0o600): string => {
    writeFileSync(path(name), content);
    chmodSync(path(name), mode);
    return path(name);
  };
  const sans = ['DNS:localhost', 'DNS:Gate.example.com', 'IP:127.0.0.1'];
  const old = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2020-02-01T00:00:00Z') };
  for (const [name, issued] of [
    ['server', authority.issue({ name: 'gate', sans, purpose: 'server' })],
    ['other', authority.issue({ name: 'other', sans: ['DNS:other.example.com'] })],
    ['rsa', authority.issue({ name: 'rsa', sans: ['DNS:rsa.example.com'], keyType: 'rsa' })],
    ['expired', authority.issue({ name: 'expired', ...old })],
  ] as const) {
    write(`${name}.crt`, issued.cert);
    write(`${name}.key`, issued.key);
  }
  copyFileSync(clientCa.certFile, path('client-ca.crt'));
  write('client-ca.crl', clientCa.crl().pem);
  write('foreign.crl', foreignCa.crl().pem);
  write('junk.pem', 'no certificate here\n');
  write('htpasswd', `${htpasswdLine('prom', 'secret of prom')}\n${htpasswdLine('second', 'secret of second')}\n`);
  write('htpasswd-faults', '# users\nalice:hunter2\nbob\n:$apr1$x$y\ncarol:{PLAIN}hunter2\n');
  write('token', 'aVerySecretToken\n');
  write('password', 'a very secret password\n');
  write('empty', '');
  write('two-lines', 'one\ntwo\n');
  write('hmac-key', 'aVerySecretTokenOfTheCa0\n');
  write('hook', '#!/bin/sh\n', 0o700);
  write('open-hook', '#!/bin/sh\n', 0o777);
  mkdirSync(path('directory'));
  mkdirSync(path('open-directory'));
  chmodSync(path('open-directory'), 0o777);
  execFileSync('mkfifo', [path('fifo')]);
  for (const name of readdirSync(directory)) {
    if (statSync(path(name)).isFile()) initial.set(name, readFileSync(path(name), 'utf8'));
  }
  authority.remove();
  foreignCa.remove();
  return {
    directory,
    clientCa,
    write,
    read: (name) => readFileSync(path(name), 'utf8'),
    path,
    reset() {
      for (const [name, content] of initial) write(name, content);
    },
    remove() {
      clientCa.remove();
      rmSync(directory, { recursive: true });
    },
  };
}
