/** A directory with a CA of its own, and what is in it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Crl } from '../../../src/formats/crl.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { readAuthority } from '../../../src/tls/authority/authority-directory.ts';
import type { Authority } from '../../../src/tls/authority/authority-directory.ts';
import { readCrl } from '../../../src/tls/authority/crl-file.ts';
import { createCa } from '../../../src/tls/authority/certificate-authority.ts';
import type { CertificateAndKey } from '../../../src/tls/authority/keys.ts';

export interface AuthorityFixture {
  readonly directory: string;
  readonly ca: CertificateAndKey;
  path(name: string): string;
  text(name: string): string;
  write(name: string, text: string): void;
  open(): Promise<Authority>;
  crl(): Promise<Crl>;
  remove(): void;
}

export async function createAuthorityFixture(clock: Pick<Clock, 'now'>): Promise<AuthorityFixture> {
  const directory = mkdtempSync(join(tmpdir(), 'promgate-authority-'));
  const path = (name: string): string => join(directory, name);
  const write = (name: string, text: string): void => {
    writeFileSync(path(name), text, { mode: 0o600 });
  };
  const ca = await createCa({ name: 'test', now: clock.now() });
  write('ca.crt', ca.cert);
  write('ca.key', ca.key);
  const open = async (): Promise<Authority> => {
    const authority = await readAuthority(directory);
    if (authority === null) throw new Error('no CA');
    return authority;
  };
  return {
    directory,
    ca,
    path,
    write,
    text: (name) => readFileSync(path(name), 'utf8'),
    open,
    async crl() {
      const crl = await readCrl(await open());
      if (crl === null) throw new Error('no CRL');
      return crl;
    },
    remove: () => {
      rmSync(directory, { recursive: true });
    },
  };
}
