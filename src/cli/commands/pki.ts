/** `promgate pki …`: the own CA on the command line. What each action does is in cli/pki/. */
import { hostname } from 'node:os';
import { enroll } from '../pki/enrollment.ts';
import type { EnrollOptions } from '../pki/enrollment.ts';
import { renewEnrolled } from '../pki/enrollment-renewal.ts';
import type { EnrollRenewalOptions } from '../pki/enrollment-renewal.ts';
import { pkiEnvironment } from '../pki/environment.ts';
import type { PkiEnvironment } from '../pki/environment.ts';
import { issueClientCertificate, issueServerCertificate, signRequest } from '../pki/issuance.ts';
import type { IssueClientOptions, IssueServerOptions, SignOptions } from '../pki/issuance.ts';
import { listCertificates } from '../pki/listing.ts';
import type { ListOptions } from '../pki/listing.ts';
import { newAuthority } from '../pki/new-authority.ts';
import type { NewAuthorityOptions } from '../pki/new-authority.ts';
import { renewCertificate } from '../pki/renewal.ts';
import type { RenewOptions } from '../pki/renewal.ts';
import { makeRevocationList, revokeCertificate } from '../pki/revocation.ts';
import type { CrlOptions, RevokeOptions } from '../pki/revocation.ts';
import { rotateAuthority } from '../pki/rotation.ts';
import type { RotateOptions } from '../pki/rotation.ts';
import { dropToken, makeToken } from '../pki/token.ts';
import type { TokenOptions } from '../pki/token.ts';
import type { Terminal } from '../terminal.ts';

export type PkiAction =
  | ({ readonly action: 'init' } & NewAuthorityOptions)
  | ({ readonly action: 'issue server' } & IssueServerOptions)
  | ({ readonly action: 'issue client' } & IssueClientOptions)
  | ({ readonly action: 'sign' } & SignOptions)
  | ({ readonly action: 'token' } & TokenOptions)
  | ({ readonly action: 'cancel token' } & Pick<TokenOptions, 'directory' | 'name'>)
  | ({ readonly action: 'enroll' } & EnrollOptions)
  | ({ readonly action: 'renew enrolled' } & EnrollRenewalOptions)
  | ({ readonly action: 'renew' } & RenewOptions)
  | ({ readonly action: 'revoke' } & RevokeOptions)
  | ({ readonly action: 'crl' } & CrlOptions)
  | ({ readonly action: 'rotate' } & RotateOptions)
  | ({ readonly action: 'list' } & ListOptions);

/**
 * @returns 0 when it is done.
 * @throws {PromgateError} USAGE, AUTHORITY_REFUSED, ENROLLMENT_REFUSED, PASSWORD_REFUSED, FILE_UNSAFE or FILE_WRITE.
 */
export async function pkiCommand(
  action: PkiAction,
  terminal: Terminal,
  environment: PkiEnvironment = pkiEnvironment(hostname()),
): Promise<number> {
  switch (action.action) {
    case 'init':
      return newAuthority(action, terminal, environment);
    case 'issue server':
      return issueServerCertificate(action, terminal, environment);
    case 'issue client':
      return issueClientCertificate(action, terminal, environment);
    case 'sign':
      return signRequest(action, terminal, environment);
    case 'token':
      return makeToken(action, terminal, environment);
    case 'cancel token':
      return dropToken(action, terminal, environment);
    case 'enroll':
      return enroll(action, terminal, environment);
    case 'renew enrolled':
      return renewEnrolled(action, terminal, environment);
    case 'renew':
      return renewCertificate(action, terminal, environment);
    case 'revoke':
      return revokeCertificate(action, terminal, environment);
    case 'crl':
      return makeRevocationList(action, terminal, environment);
    case 'rotate':
      return rotateAuthority(action, terminal, environment);
    case 'list':
      return listCertificates(action, terminal, environment);
  }
}
