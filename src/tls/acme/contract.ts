/**
 * What the parts of acme/ say to each other: what is wanted, what is kept, who issues, who answers challenges, who looks
 * after it all. Types, and the one error of a failed order. Nothing in an error may be a key or a token.
 */
import type { AcmeDirectory, AcmeSettings, KeyPair, WantedCertificate } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';

/** A logger in pino's manner; the caller's own, stated here because tls/ knows no observer. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type { AcmeDirectory, AcmeSettings, ChallengeSettings, WantedCertificate } from '../../config/config.ts';

/** When the CA wants a certificate renewed (RFC 9773), and what was made of it. Milliseconds since the epoch. */
export interface RenewalWindow {
  readonly start: number;
  readonly end: number;
  /** The random moment between both; kept, so that a restart does not draw again. */
  readonly chosen: number;
  readonly askAgainAt: number;
  readonly explanationUrl: string | null;
}

/** `interrupted`: the process ended meanwhile. `failed`: no word of the CA, something here went wrong. */
export type RecordedFailureKind = AcmeFailureKind | 'interrupted' | 'failed';

export interface RecordedFailure {
  readonly at: number;
  /** URL of the directory that was asked. */
  readonly directory: string;
  readonly role: 'real' | 'staging';
  readonly kind: RecordedFailureKind;
  /** Cut, and safe for a terminal and a log. */
  readonly reason: string;
  /** The directory is not asked before; from Retry-After. */
  readonly retryAt: number | null;
}

/** A certificate that a directory issued, or may have issued when nobody was there to see it. */
export interface RecordedOrder {
  readonly at: number;
  readonly directory: string;
}

/** How a certificate came to be. Milliseconds since the epoch. */
export interface Origin {
  readonly at: number;
  /** The profile that was wanted then. */
  readonly profile: string | null;
  /** Why it was ordered, as a clause. */
  readonly because: string;
  /** Whether it took the place of another one. */
  readonly isRenewal: boolean;
}

/** What is kept on disk for one certificate; every field survives a restart. Milliseconds since the epoch. */
export interface CertificateState {
  readonly pair: KeyPair | null;
  /** URL of the directory. */
  readonly issuedBy: string | null;
  /** null: written by a version that did not keep it. */
  readonly origin: Origin | null;
  readonly ari: RenewalWindow | null;
  /** The CA is not asked for a window before: it does not offer one, or did not answer. */
  readonly ariSilentUntil: number | null;
  /** Since the last certificate, oldest first, bounded. */
  readonly failures: readonly RecordedFailure[];
  /** For the CA's limits; the last seven days. */
  readonly orders: readonly RecordedOrder[];
  /** When the staging directory last issued, and no real one was asked since. */
  readonly stagedAt: number | null;
}

/** What to do now. `url` is that of the directory. */
export type Plan =
  | { readonly kind: 'wait'; readonly until: number; readonly why: string }
  | { readonly kind: 'ask-ari'; readonly why: string }
  | { readonly kind: 'order'; readonly directory: 'real' | 'staging'; readonly url: string; readonly why: string };

/** The step of an order from which on the CA may have issued, whether we learn of it or not. */
export const ISSUE_STEP = 'issue';

export interface OrderRequest {
  readonly directory: AcmeDirectory;
  readonly wanted: WantedCertificate;
  /** The id of the certificate that the new one replaces (RFC 9773 §5); null: none, or of another directory. */
  readonly replaces: string | null;
  readonly signal: AbortSignal;
  /** `ISSUE_STEP` is told before the request that makes the CA issue: from there on it may have issued. */
  readonly progress: (step: string, detail: string) => void;
}

/** What a CA says about the renewal of a certificate. Milliseconds since the epoch. */
export interface RenewalInfo {
  readonly start: number;
  readonly end: number;
  readonly explanationUrl: string | null;
  readonly retryAfterMs: number;
}

/** One order, from account to certificate. */
export interface Issuer {
  /** PEM, leaf first. @throws {AcmeFailure} */
  order(request: OrderRequest): Promise<{ readonly cert: string; readonly key: string }>;
  /** null: the CA does not offer it. @throws {AcmeFailure} */
  renewalInfo(directory: AcmeDirectory, cert: string): Promise<RenewalInfo | null>;
}

export type AcmeFailureKind =
  'unreachable' | 'refused' | 'rate-limited' | 'challenge' | 'account' | 'garbage' | 'timeout';

/** Why an order ended without a certificate. The message may hold the CA's own words: escape it before it is shown. */
export class AcmeFailure extends Error {
  readonly kind: AcmeFailureKind;
  readonly retryAfterMs: number | null;
  /** Where the CA explains it. */
  readonly link: string | null;

  constructor(
    kind: AcmeFailureKind,
    message: string,
    options: { readonly retryAfterMs?: number | null; readonly link?: string | null; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AcmeFailure';
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.link = options.link ?? null;
  }
}

export interface Challenge {
  readonly type: string;
  readonly identifier: string;
  readonly token: string;
  readonly keyAuthorization: string;
}

/** How long what is under way at a program of the operator may go on once its order was ended. */
export const ENDING_MS = 5_000;

/** Answers a challenge; what it gives back takes the answer away again. */
export interface ChallengeAnswerer {
  /** @param signal the order was ended: whatever takes its time, the taking away included, ends within `ENDING_MS`. */
  present(challenge: Challenge, signal?: AbortSignal): Promise<() => Promise<void>>;
}

/** What is kept in the state directory. */
export interface StateStore {
  /** Makes the directory if it is missing and judges it. @throws {PromgateError} FILE_UNSAFE, FILE_WRITE */
  open(): Promise<void>;
  /** What is kept for a certificate; an empty state when there is nothing that can be used. */
  read(wanted: WantedCertificate): Promise<CertificateState>;
  /** @throws {PromgateError} FILE_WRITE; what was there before is untouched. */
  write(wanted: WantedCertificate, state: CertificateState): Promise<void>;
  /** The account key of a directory (PEM), null when there is none. */
  readAccountKey(directoryUrl: string): Promise<string | null>;
  /** Keeps the first key of a directory; never replaces one. @returns the key that is kept. @throws {PromgateError} */
  writeAccountKey(directoryUrl: string, key: string): Promise<string>;
  /** Runs while no other process works on this certificate. @returns null when another one kept it for too long. */
  exclusively<T>(wanted: WantedCertificate, signal: AbortSignal, work: () => Promise<T>): Promise<T | null>;
}

/** How an attempt ended, for the metric. */
export type AttemptOutcome = 'issued' | 'staged' | AcmeFailureKind | 'failed';

export interface AcmeMetrics {
  /** @param directory the name of the directory that was asked, or was to be. */
  attempt(name: string, directory: string, outcome: AttemptOutcome): void;
  /** Seconds since the epoch. */
  nextRenewal(name: string, seconds: number): void;
  /** Seconds since the epoch. */
  ariWindow(name: string, start: number, end: number): void;
  /** Whether a self-signed certificate stands in for one that was never issued. */
  selfSigned(name: string, isSelfSigned: boolean): void;
}

export interface CertificateStatus {
  readonly wanted: WantedCertificate;
  readonly state: CertificateState;
  /** What is wanted otherwise than the pair has it, as a clause; null: it is what is wanted, or there is none. */
  readonly unlike: string | null;
  readonly plan: Plan;
}

/** The running part. */
export interface AcmeManager {
  /** What there is now, for the TLS server: real pairs, predecessors of them, or self-signed ones. In order, each once. */
  pairs(): readonly KeyPair[];
  /** Reads what is kept and makes what stands in: `pairs()` is complete from then on. @throws {PromgateError} */
  open(): Promise<void>;
  start(): void;
  /** Orders now, whatever the plan says; null: every certificate. @throws {AcmeFailure | PromgateError} */
  renew(name: string | null): Promise<void>;
  status(): readonly CertificateStatus[];
  /** Ends a running order. */
  close(): Promise<void>;
}

export interface AcmePorts {
  readonly settings: AcmeSettings;
  readonly store: StateStore;
  readonly issuer: Issuer;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: AcmeMetrics;
  /** From 0 up to, not including, 1. */
  random(): number;
  /** What may be served until the CA has issued: from files, or in force before. In the order of preference. */
  predecessors(): readonly KeyPair[];
  onChange(pairs: readonly KeyPair[]): void;
}
