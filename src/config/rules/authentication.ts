/**
 * `client_auth_type` says what a TLS client must show, `authenticate` what a request must prove. What is not written is
 * derived as web.yml means it; what is written must not contradict.
 */
import type { Problem } from '../../lib/problem.ts';
import { servesTls } from '../derived.ts';
import type { Authenticate, ClientAuthType } from '../config.ts';
import type { Raw } from '../schema.ts';
import { hasUsers } from '../users.ts';
import { error, warning } from './rule.ts';
import type { Authentication, Rule, RuleInput } from './rule.ts';

const AUTHENTICATE = ['authenticate'];
const TLS = 'tls_server_config';
const TYPE = [TLS, 'client_auth_type'];

/** What a written `authenticate` demands of the TLS handshake; null: nothing in particular. */
const IMPLIED: Readonly<Record<Authenticate, ClientAuthType | null>> = {
  password: null,
  none: null,
  either: 'VerifyClientCertIfGiven',
  certificate: 'RequireAndVerifyClientCert',
  both: 'RequireAndVerifyClientCert',
};

/** Reads the table of the contract: users × client_auth_type → authenticate, and the implications of a written one. */
export function deriveAuthentication(raw: Raw): Authentication {
  const tls = raw.tls_server_config;
  const users = hasUsers(raw);
  const written = tls?.client_auth_type;
  const clientAuthType =
    written ?? (raw.authenticate === undefined ? null : IMPLIED[raw.authenticate]) ?? 'NoClientCert';
  const verified = clientAuthType === 'RequireAndVerifyClientCert';
  const derived = users ? (verified ? 'both' : 'password') : verified ? 'certificate' : 'none';
  return {
    authenticate: raw.authenticate ?? derived,
    clientAuthType,
    hasUsers: users,
    hasClientCa: (tls?.client_ca ?? '') !== '' || (tls?.client_ca_file ?? '') !== '',
    hasTls: servesTls(raw),
  };
}

/** Whether certificates of clients are verified against the client CA. */
export function verifiesClients(type: ClientAuthType): boolean {
  return type === 'VerifyClientCertIfGiven' || type === 'RequireAndVerifyClientCert';
}

export const authenticationRule: Rule = (input) => [
  ...writtenProblems(input),
  ...trustProblems(input),
  ...allowedSansProblems(input),
];

function writtenProblems({ raw, authentication }: RuleInput): Problem[] {
  const { authenticate: written } = raw;
  if (written === undefined) return [];
  const { hasUsers: users, hasTls } = authentication;
  const found: Problem[] = [];
  const type = raw.tls_server_config?.client_auth_type;
  const implied = IMPLIED[written];
  if (written === 'none' && users) {
    const hint = 'remove authenticate, or the users';
    found.push(error('authenticate is none, but users are configured', AUTHENTICATE, { hint }));
  }
  if (written === 'none' && type === 'RequireAndVerifyClientCert') {
    const hint = 'write authenticate: certificate';
    found.push(error(`client_auth_type ${type} contradicts authenticate: none`, TYPE, { hint }));
  }
  if (implied !== null && type !== undefined && type !== implied) {
    const hint = `remove client_auth_type, or write ${implied}`;
    found.push(error(`client_auth_type ${type} contradicts authenticate: ${written}`, TYPE, { hint }));
  }
  if ((written === 'password' || written === 'either' || written === 'both') && !users) {
    const hint = 'set htpasswd_file or basic_auth_users';
    found.push(error(`authenticate is ${written}, but there are no users`, AUTHENTICATE, { hint }));
  }
  if (written === 'certificate' && users) {
    const hint = 'either accepts both kinds of credentials';
    found.push(warning('authenticate is certificate: no password is accepted', AUTHENTICATE, { hint }));
  }
  if (implied !== null && !hasTls) {
    const hint = 'set cert_file, key_file and client_ca_file in tls_server_config';
    found.push(error(`authenticate is ${written}, but TLS is off`, AUTHENTICATE, { hint }));
  }
  return found;
}

function trustProblems({ raw, authentication }: RuleInput): Problem[] {
  const tls = raw.tls_server_config;
  const { clientAuthType, hasClientCa, hasTls } = authentication;
  const found: Problem[] = [];
  const implied = tls?.client_auth_type === undefined;
  if (verifiesClients(clientAuthType) && !hasClientCa && hasTls) {
    const message = implied
      ? `authenticate: ${authentication.authenticate} verifies client certificates, but there is no client CA`
      : `client_auth_type ${clientAuthType} needs a client CA`;
    const hint = 'set client_ca_file: the roots of the system would let in everybody with any certificate';
    found.push(error(message, implied ? AUTHENTICATE : TYPE, { hint }));
  }
  if (tls === undefined) return found;
  if (clientAuthType === 'NoClientCert' && hasClientCa) {
    const key = (tls.client_ca_file ?? '') === '' ? 'client_ca' : 'client_ca_file';
    const hint = 'set client_auth_type: RequireAndVerifyClientCert';
    found.push(error(`${key} is set, but client_auth_type is NoClientCert`, [TLS, key], { at: 'key', hint }));
  }
  if (tls.crl_on_expiry === 'warn' && tls.client_crl_files.length === 0) {
    found.push(warning('crl_on_expiry has no effect without client_crl_files', [TLS, 'crl_on_expiry'], { at: 'key' }));
  }
  if (tls.client_crl_files.length > 0 && !verifiesClients(clientAuthType)) {
    const message = `client_crl_files is set, but client_auth_type is ${clientAuthType}`;
    found.push(
      error(message, [TLS, 'client_crl_files'], {
        at: 'key',
        hint: 'only certificates that are verified can be revoked',
      }),
    );
  }
  return found;
}

function allowedSansProblems({ raw, authentication }: RuleInput): Problem[] {
  const sans = raw.tls_server_config?.client_allowed_sans;
  if (sans === undefined) return [];
  const path = [TLS, 'client_allowed_sans'];
  const { clientAuthType, authenticate } = authentication;
  if (clientAuthType === 'RequireAnyClientCert') {
    const hint = 'anybody can make a certificate with such a name: use RequireAndVerifyClientCert';
    return [warning('client_allowed_sans of certificates that are not verified', path, { at: 'key', hint })];
  }
  if (clientAuthType === 'RequireAndVerifyClientCert' || authenticate === 'either') return [];
  const message = `client_allowed_sans needs a client_auth_type that requires a certificate, not ${clientAuthType}`;
  return [error(message, path, { at: 'key', hint: 'set client_auth_type: RequireAndVerifyClientCert' })];
}
