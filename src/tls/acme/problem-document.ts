/**
 * What a CA says when it refuses (RFC 7807 problem documents, RFC 8555 §6.7), as an AcmeFailure. Pure. The CA's words
 * are a stranger's: they are cut and escaped before they stand in a message.
 */
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import { AcmeFailure, type AcmeFailureKind } from './contract.ts';

const LONGEST_TEXT = 500;
/** The longest time that a CA may ask us to wait: Let's Encrypt's rate limits count in weeks. */
const LONGEST_RETRY_AFTER_MS = 7 * 86_400_000;
const ERROR_PREFIX = 'urn:ietf:params:acme:error:';
const HELP_LINK = /<(https:\/\/[^>\s]{1,300})>\s*;\s*rel="?help"?/i;
const LINK_IN_TEXT = /https:\/\/[\x21-\x7e]{1,300}/;

/** Errors of RFC 8555 §6.7 that another order with the same account cannot get around. */
const ACCOUNT_ERRORS = new Set([
  'accountDoesNotExist',
  'externalAccountRequired',
  'userActionRequired',
  'invalidContact',
  'unsupportedContact',
  'badPublicKey',
  'badSignatureAlgorithm',
]);

/** An AcmeFailure that knows what the CA calls it. */
export class CaRefusal extends AcmeFailure {
  /** The last part of the problem's type, such as `rateLimited`; null when it is none of ACME's. */
  readonly problemType: string | null;

  constructor(
    kind: AcmeFailureKind,
    message: string,
    problemType: string | null,
    options: { readonly retryAfterMs: number | null; readonly link: string | null },
  ) {
    super(kind, message, options);
    this.problemType = problemType;
  }
}

export interface CaAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON as a value, anything else as text. */
  readonly data: unknown;
}

/** At most 500 characters of a CA's text, control and non-ASCII characters escaped. */
export function caText(text: string): string {
  const escaped = escapeNonPrintable(text.slice(0, LONGEST_TEXT));
  return escaped.length < LONGEST_TEXT && text.length <= LONGEST_TEXT ? escaped : `${escaped.slice(0, LONGEST_TEXT)}…`;
}

/** @returns the failure that an answer of 400 and above means. `what` says what was asked, such as `POST https://…`. */
export function refusalOf(answer: CaAnswer, what: string, now: number): CaRefusal {
  const problem = isRecord(answer.data) ? answer.data : {};
  const type = problemTypeOf(problem);
  const text = describeProblem(problem);
  return new CaRefusal(
    kindOf(answer.status, type),
    `${what} answered ${answer.status}${text === null ? '' : `: ${text}`}`,
    type,
    { retryAfterMs: retryAfterMs(answer.headers, now), link: helpLink(answer.headers['link'], problem) },
  );
}

/** The problem of an order or a challenge that became invalid, in one line; null when the CA gives none. */
export function describeProblem(problem: unknown): string | null {
  if (!isRecord(problem)) return null;
  const { detail, subproblems } = problem;
  const type = problemTypeOf(problem);
  const parts = [typeof detail === 'string' && detail !== '' ? detail : null];
  if (Array.isArray(subproblems)) {
    for (const below of subproblems.slice(0, 5) as unknown[]) {
      if (isRecord(below) && typeof below['detail'] === 'string') parts.push(below['detail']);
    }
  }
  const words = parts.filter((part) => part !== null).join('; ');
  if (words === '' && type === null) return null;
  return caText(type === null ? words : words === '' ? type : `${words} (${type})`);
}

/** RFC 9110 §10.2.3: seconds or a date, in milliseconds from `now`, capped; null when there is none that is understood. */
export function retryAfterMs(headers: CaAnswer['headers'], now: number): number | null {
  const value = headers['retry-after']?.trim() ?? '';
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function problemTypeOf({ type }: Record<string, unknown>): string | null {
  if (typeof type !== 'string' || !type.startsWith(ERROR_PREFIX)) return null;
  const name = type.slice(ERROR_PREFIX.length);
  return /^[A-Za-z0-9]{1,64}$/.test(name) ? name : null;
}

function kindOf(status: number, type: string | null): AcmeFailureKind {
  if (status === 429 || type === 'rateLimited') return 'rate-limited';
  if (type !== null && ACCOUNT_ERRORS.has(type)) return 'account';
  if (status >= 500) return 'unreachable';
  return 'refused';
}

function helpLink(header: string | undefined, { detail }: Record<string, unknown>): string | null {
  const stated = HELP_LINK.exec(header ?? '')?.[1];
  if (stated !== undefined) return escapeNonPrintable(stated);
  const found = typeof detail === 'string' ? LINK_IN_TEXT.exec(detail.slice(0, 4096))?.[0] : undefined;
  // A sentence goes on behind the address.
  return found?.replace(/[.,;:)\]>"']+$/, '') ?? null;
}
