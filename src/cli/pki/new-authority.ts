/** `promgate pki init`: a new CA with an empty revocation list. Never touches one that is there. */
import { lstat } from 'node:fs/promises';
import { PromgateError } from '../../lib/errors.ts';
import { createDirectory, createFile } from '../../lib/private-file.ts';
import { authorityPaths, readAuthority } from '../../tls/authority/authority-directory.ts';
import { createCa } from '../../tls/authority/certificate-authority.ts';
import { updateCrl } from '../../tls/authority/crl-file.ts';
import { encryptKey } from '../../tls/authority/keys.ts';
import { permittedNames } from '../../tls/authority/name-constraints.ts';
import type { Terminal } from '../terminal.ts';
import { asRefusal } from './environment.ts';
import type { PkiEnvironment } from './environment.ts';
import { DAY_MS, DEFAULT_CRL_DAYS } from './lifetimes.ts';

export interface NewAuthorityOptions {
  readonly directory: string;
  /** What tells the CA from others; default: the host's name. */
  readonly name: string | null;
  readonly permitDns: readonly string[];
  readonly permitIp: readonly string[];
  /** Ask for a passphrase, and keep the key under it. */
  readonly passphrase: boolean;
}

/** The derivation of the key is OpenSSL's default, which is quick: a short passphrase would be guessed. */
const SHORTEST_PASSPHRASE = 12;

export async function newAuthority(
  options: NewAuthorityOptions,
  terminal: Terminal,
  environment: PkiEnvironment,
): Promise<number> {
  const { clock } = environment;
  const paths = authorityPaths(options.directory);
  for (const path of [paths.cert, paths.key, paths.index, paths.crl]) {
    if ((await lstat(path).catch(() => null)) === null) continue;
    throw new PromgateError('FILE_UNSAFE', `${path} is there already and was not touched`, {
      hint: 'a new CA would make every certificate of the old one worthless; --directory=… makes it elsewhere',
    });
  }
  const { permitDns, permitIp } = options;
  const isNarrowed = permitDns.length > 0 || permitIp.length > 0;
  const ca = await asRefusal(() =>
    createCa({
      name: options.name ?? environment.hostName,
      now: clock.now(),
      ...(isNarrowed ? { permitted: permittedNames(permitDns, permitIp) } : {}),
    }),
  );
  const key = options.passphrase ? encryptKey(ca.key, await newPassphrase(environment)) : ca.key;
  await makeDirectory(options.directory);
  await createFile(paths.key, key, 0o600);
  await createFile(paths.cert, ca.cert, 0o644);
  const authority = await readAuthority(options.directory);
  if (authority === null) throw new PromgateError('FILE_WRITE', `${paths.cert} was written and is gone`);
  await updateCrl(authority, clock, { keys: [ca.key], lifetimeMs: DEFAULT_CRL_DAYS * DAY_MS });
  for (const path of [paths.key, paths.cert, paths.index, paths.crl]) terminal.err(`promgate: wrote ${path}`);
  terminal.out(
    [
      `${authority.certificate.subject}, until ${new Date(authority.certificate.notAfter).toISOString().slice(0, 10)}`,
      `SHA-256 fingerprint ${authority.certificate.fingerprint.replace(/(..)(?=.)/g, '$1:')}`,
      `Keep a copy of ${paths.key} where this host cannot lose it: nothing replaces it.`,
    ].join('\n'),
  );
  if (options.passphrase) {
    terminal.err('promgate: warning: a gate cannot renew a revocation list of a CA whose key has a passphrase');
    terminal.err(`promgate: hint: run \`promgate pki crl\` every ${String(DEFAULT_CRL_DAYS / 2)} days`);
  }
  return 0;
}

async function newPassphrase({ input }: PkiEnvironment): Promise<string> {
  const passphrase = await input.read('New passphrase for the key of the CA: ');
  if (Buffer.byteLength(passphrase) < SHORTEST_PASSPHRASE) {
    throw new PromgateError(
      'PASSWORD_REFUSED',
      `the passphrase has fewer than ${String(SHORTEST_PASSPHRASE)} characters; nothing was written`,
    );
  }
  if (input.isTerminal && (await input.read('Once more: ')) !== passphrase) {
    throw new PromgateError('PASSWORD_REFUSED', 'the two passphrases differ; nothing was written');
  }
  return passphrase;
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await createDirectory(directory);
  } catch (error) {
    throw new PromgateError('FILE_WRITE', `cannot make the directory ${directory}`, { cause: error });
  }
}
