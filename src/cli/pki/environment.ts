/** What the `pki` commands take from the machine, and how they come by the CA. A passphrase is never an argument. */
import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { keyMatches } from '../../formats/x509.ts';
import { readAuthority } from '../../tls/authority/authority-directory.ts';
import type { Authority } from '../../tls/authority/authority-directory.ts';
import { decryptKey, encryptKey, splitKeys } from '../../tls/authority/keys.ts';
import type { CertificateAndKey } from '../../tls/authority/keys.ts';
import type { RotationKeys } from '../../tls/authority/rotation.ts';
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

/**
 * @param betterHint what helps where no CA is wanted; null: nothing better is known.
 * @throws {PromgateError} AUTHORITY_REFUSED when there is no CA in the directory.
 */
export async function openAuthority(directory: string, betterHint?: () => Promise<string | null>): Promise<Authority> {
  const authority = await readAuthority(directory);
  if (authority !== null) return authority;
  throw new PromgateError('AUTHORITY_REFUSED', `there is no CA in ${directory}`, {
    hint: (await betterHint?.()) ?? '`promgate pki init` makes one; --directory=… says where it is',
  });
}

/** The CA that signs with its key in the clear, and during a rotation the key of the other one. */
export interface UnlockedAuthority extends CertificateAndKey, RotationKeys {}

/**
 * Asks for the passphrase where there is one.
 * @throws {PromgateError} AUTHORITY_REFUSED when the key is not here, PASSWORD_REFUSED when the passphrase is wrong.
 */
export async function unlockAuthority(
  { paths, cert, key }: Authority,
  { input }: PkiEnvironment,
): Promise<UnlockedAuthority> {
  switch (key.kind) {
    case 'ready':
      return { cert, key: key.pem, keys: key.pems, protect: (pem) => pem };
    case 'missing':
      throw new PromgateError('AUTHORITY_REFUSED', `${paths.key} is not here: nothing can be signed without it`, {
        hint: 'run the command where the key is kept, or bring it back for as long as it takes',
      });
    case 'encrypted': {
      const passphrase = await input.read(`Passphrase of ${paths.key}: `);
      if (passphrase === '') {
        throw new PromgateError('PASSWORD_REFUSED', `${paths.key} has a passphrase, and none was given`, {
          hint: 'type it, or give it as the one line of standard input; nothing was changed',
        });
      }
      const keys = splitKeys(key.pem).map((pem) => decryptKey(pem, passphrase));
      if (keys.length === 0 || !keys.every((pem) => pem !== null)) {
        throw new PromgateError('PASSWORD_REFUSED', `wrong passphrase for ${paths.key}`, {
          hint: 'nothing was changed',
        });
      }
      const own = keys.find((pem) => keyMatches(cert, pem).ok);
      if (own === undefined) {
        const matches = keyMatches(cert, keys[0] ?? '');
        throw new PromgateError('AUTHORITY_REFUSED', `${paths.key}: ${matches.ok ? 'no key' : matches.message}`);
      }
      return { cert, key: own, keys, protect: (pem) => encryptKey(pem, passphrase) };
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
