/** What the `pki` commands take from the machine, and how they come by the CA. A passphrase is never an argument. */
import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { keyMatches } from '../../formats/x509.ts';
import { readAuthority } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import { decryptKey } from '../../tls/authority/keys.ts';
import type { CertificateAndKey } from '../../tls/authority/keys.ts';
import { processPasswordInput } from '../password-prompt.ts';
import type { PasswordInput } from '../password-prompt.ts';

export interface PkiEnvironment {
  readonly clock: Clock;
  readonly hostName: string;
  readonly input: PasswordInput;
}

export function pkiEnvironment(hostName: string): PkiEnvironment {
  return { clock: systemClock, hostName, input: processPasswordInput() };
}

/** @throws {PromgateError} AUTHORITY_REFUSED when there is no CA in the directory. */
export async function openAuthority(directory: string): Promise<Authority> {
  const authority = await readAuthority(directory);
  if (authority !== null) return authority;
  throw new PromgateError('AUTHORITY_REFUSED', `there is no CA in ${directory}`, {
    hint: '`promgate pki init` makes one; --directory=… says where it is',
  });
}

/**
 * The CA with its key in the clear; asks for the passphrase where there is one.
 * @throws {PromgateError} AUTHORITY_REFUSED when the key is not here, PASSWORD_REFUSED when the passphrase is wrong.
 */
export async function unlockAuthority(
  { paths, cert, key }: Authority,
  { input }: PkiEnvironment,
): Promise<CertificateAndKey> {
  switch (key.kind) {
    case 'ready':
      return { cert, key: key.pem };
    case 'missing':
      throw new PromgateError('AUTHORITY_REFUSED', `${paths.key} is not here: nothing can be signed without it`, {
        hint: 'run the command where the key is kept, or bring it back for as long as it takes',
      });
    case 'encrypted': {
      const pem = decryptKey(key.pem, await input.read(`Passphrase of ${paths.key}: `));
      if (pem === null) throw new PromgateError('PASSWORD_REFUSED', `wrong passphrase for ${paths.key}`);
      const matches = keyMatches(cert, pem);
      if (!matches.ok) throw new PromgateError('AUTHORITY_REFUSED', `${paths.key}: ${matches.message}`);
      return { cert, key: pem };
    }
  }
}

/** Turns what the CA will not do into an error with a code. */
export async function asRefusal<T>(work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TypeError) throw new PromgateError('AUTHORITY_REFUSED', error.message, { cause: error });
    throw error;
  }
}
