/** What a CA answers to an order (RFC 8555 §7.1.3–7.1.5), judged before it is used. Pure; throws AcmeFailure `garbage`. */
import { AcmeFailure } from './contract.ts';
import { isRecord } from './problem-document.ts';

/** Let's Encrypt allows 100 names in a certificate; a CA that wants more answers than that is not asked. */
const MOST_AUTHORIZATIONS = 100;
const LONGEST_CHAIN = 256 * 1024;

export interface OrderDocument {
  readonly url: string;
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate: string | null;
  readonly error: unknown;
}

export interface ChallengeDocument {
  readonly type: string;
  readonly url: string;
  readonly status: string;
  readonly token: string;
  readonly error: unknown;
}

export interface AuthorizationDocument {
  readonly url: string;
  readonly status: string;
  readonly identifier: { readonly type: string; readonly value: string };
  readonly challenges: readonly ChallengeDocument[];
}

export function readOrder(value: unknown): OrderDocument {
  const order = record(value, 'order');
  const { authorizations, certificate } = order;
  if (
    !Array.isArray(authorizations) ||
    authorizations.length === 0 ||
    authorizations.length > MOST_AUTHORIZATIONS ||
    !authorizations.every((url) => typeof url === 'string')
  ) {
    throw garbage('order', 'authorizations');
  }
  return {
    url: text(order, 'url', 'order'),
    status: text(order, 'status', 'order'),
    authorizations,
    finalize: text(order, 'finalize', 'order'),
    certificate: typeof certificate === 'string' ? certificate : null,
    error: order['error'],
  };
}

export function readAuthorization(value: unknown): AuthorizationDocument {
  const authorization = record(value, 'authorization');
  const identifier = record(authorization['identifier'], 'identifier');
  const { challenges } = authorization;
  if (!Array.isArray(challenges)) throw garbage('authorization', 'challenges');
  return {
    url: text(authorization, 'url', 'authorization'),
    status: text(authorization, 'status', 'authorization'),
    identifier: { type: text(identifier, 'type', 'identifier'), value: text(identifier, 'value', 'identifier') },
    challenges: (challenges as unknown[]).slice(0, 20).filter(isRecord).filter(isChallenge).map(readChallenge),
  };
}

/** The chain as it was sent; whether it is the right one is judged with the key at hand. */
export function readChain(value: unknown): string {
  if (typeof value !== 'string' || value.length > LONGEST_CHAIN || !value.includes('-----BEGIN CERTIFICATE-----')) {
    throw new AcmeFailure('garbage', 'the CA answered something that is no certificate');
  }
  return value;
}

/** The names of the profiles that a directory offers; null when it knows none. */
export function profilesOf(directory: unknown): readonly string[] | null {
  const meta = isRecord(directory) ? directory['meta'] : undefined;
  const profiles = isRecord(meta) ? meta['profiles'] : undefined;
  return isRecord(profiles) ? Object.keys(profiles).slice(0, 20) : null;
}

/** Where a directory answers about renewals (RFC 9773 §4.1); null when it does not. */
export function renewalInfoOf(directory: unknown): string | null {
  const url = isRecord(directory) ? directory['renewalInfo'] : undefined;
  return typeof url === 'string' && url !== '' ? url : null;
}

/** A challenge of a type of tomorrow may have no token; it is none that we could answer. */
function isChallenge(challenge: Record<string, unknown>): boolean {
  return ['type', 'url', 'token'].every((name) => typeof challenge[name] === 'string');
}

function readChallenge(challenge: Record<string, unknown>): ChallengeDocument {
  return {
    type: text(challenge, 'type', 'challenge'),
    url: text(challenge, 'url', 'challenge'),
    status: typeof challenge['status'] === 'string' ? challenge['status'] : 'pending',
    token: text(challenge, 'token', 'challenge'),
    error: challenge['error'],
  };
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (!isRecord(value)) throw new AcmeFailure('garbage', `the CA answered something that is no ${what}`);
  return value;
}

function text(object: Record<string, unknown>, name: string, what: string): string {
  const value = object[name];
  if (typeof value !== 'string' || value === '' || value.length > 2_000) throw garbage(what, name);
  return value;
}

function garbage(what: string, name: string): AcmeFailure {
  return new AcmeFailure('garbage', `the CA answered without a usable ${name} of the ${what}`);
}
