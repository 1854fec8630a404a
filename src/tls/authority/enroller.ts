/**
 * Enrollment in the running gate: knows which tokens are pending, and has certificates made. Without a pending token it
 * is closed, whatever the configuration says. What it cannot read counts as no token.
 */
import { stat } from 'node:fs/promises';
import type { EnrollmentSettings } from '../../config/config.ts';
import { PROOF_SKEW_MS } from '../../formats/key-proof.ts';
import type { KeyProof } from '../../formats/key-proof.ts';
import { parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Clock } from '../../lib/clock.ts';
import { authorityPaths, readIfThere } from './authority-directory.ts';
import type { KeeperLog } from './crl-keeper.ts';
import { enrollByToken, renewHeld } from './enrollment-signing.ts';
import type { EnrollmentOutcome, HeldCertificate } from './enrollment-signing.ts';
import { findToken, isPending, readTokens, tokensPath } from './enrollment-tokens.ts';
import type { EnrollmentToken } from './enrollment-tokens.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { judgeServerRenewal } from './server-renewal.ts';
import { UsedProofs } from './used-proofs.ts';

/** How soon a new token works, and a cancelled one does not. */
const LOOK_MS = 1000;
/** Signing takes milliseconds; more than these wait for the disk. */
const MOST_WAITING = 32;

/** What the certificate was issued for. */
type IssuedBy = 'token' | 'certificate' | 'key';

export interface EnrollerMetrics {
  enrollmentOpen(open: boolean): void;
  certificateIssued(by: IssuedBy): void;
}

/** Who asks, for the log. */
export interface Asking {
  readonly address: string;
  /** A certificate request, PEM. */
  readonly request: string;
}

export interface Enroller {
  /** The section of the configuration in force; null: nobody enrolls here. */
  follow(settings: EnrollmentSettings | null): void;
  /** Changes with every configuration: what was judged under another one is to be judged again. */
  epoch(): number;
  /** Whether a token is pending. */
  isOpen(): boolean;
  /** Whether this is a pending token; in a time that does not tell how nearly it is one. */
  knows(token: string): boolean;
  /** Takes the token and has a certificate made. Never rejects. */
  enroll(token: string, asking: Asking): Promise<EnrollmentOutcome>;
  /** Has the same certificate made for another time. Never rejects. */
  renew(held: HeldCertificate, asking: Asking): Promise<EnrollmentOutcome>;
  /** Judges the proof, and has the server certificate that stands before the request made again. Never rejects. */
  renewServer(proof: KeyProof, asking: Asking): Promise<EnrollmentOutcome>;
  /** Looks at the tokens and the CAs now; never rejects. */
  look(): Promise<void>;
  close(): void;
}

export interface EnrollerPorts {
  readonly clock: Clock;
  readonly log: KeeperLog;
  readonly metrics: EnrollerMetrics;
  /** It has opened or closed: who came without a certificate meanwhile has to be judged again. */
  onChange(): void;
}

export function createEnroller(ports: EnrollerPorts): Enroller {
  const { clock, log, metrics } = ports;
  let directory: string | null = null;
  let renewsServers = false;
  let cas: readonly CertificateInfo[] = [];
  let seenCas = '';
  const used = new UsedProofs();
  let tokens: readonly EnrollmentToken[] = [];
  let seen = '';
  let epoch = 0;
  let wasOpen = false;
  let fault = '';
  let waiting = 0;
  let queue: Promise<unknown> = Promise.resolve();

  const isOpen = (): boolean => directory !== null && tokens.some((token) => isPending(token, clock.now()));

  async function lookAtTokens(): Promise<void> {
    const at = directory;
    try {
      const stamp = at === null ? '' : await stampOf(tokensPath({ directory: at }));
      if (stamp !== seen || at === null) {
        // Read before it is noted: a change meanwhile is seen at the next look.
        const read = stamp === '' || at === null ? [] : await readTokens(authorityPaths(at));
        if (at !== directory) return;
        tokens = read;
        seen = stamp;
      }
      fault = '';
    } catch (error) {
      tokens = [];
      seen = '';
      const reason = error instanceof Error ? error.message : 'unknown reason';
      if (reason !== fault) log.error({ reason }, 'the enrollment tokens cannot be read, nobody can enroll');
      fault = reason;
    }
    tellChange();
  }

  /** Those of ca.crt: what is none of theirs never gets as far as the disk. */
  async function lookAtCas(): Promise<void> {
    const at = directory;
    try {
      const path = at === null || !renewsServers ? null : authorityPaths(at).cert;
      const stamp = path === null ? '' : await stampOf(path);
      if (stamp === seenCas && path !== null) return;
      const read = parseCertificates((path === null ? null : await readIfThere(path)) ?? '');
      if (at !== directory) return;
      cas = read.ok ? read.value : [];
      seenCas = stamp;
    } catch {
      // Told by the gate's own trust, and by whoever asks: without a CA nobody is renewed.
      cas = [];
      seenCas = '';
    }
  }

  function tellChange(): void {
    const open = isOpen();
    if (open === wasOpen) return;
    wasOpen = open;
    metrics.enrollmentOpen(open);
    const names = tokens.map(({ name }) => name).join(', ');
    if (open) log.info({ names }, 'enrollment is open: a token is pending');
    else log.info({}, 'enrollment is closed: no token is pending');
    ports.onChange();
  }

  /** In turn, so that what is counted in the index is so when it is signed. */
  function inTurn(work: () => Promise<EnrollmentOutcome>): Promise<EnrollmentOutcome> {
    if (waiting >= MOST_WAITING) {
      return Promise.resolve({ kind: 'refused', reason: 'rate_limited', detail: 'too many wait for a certificate' });
    }
    waiting += 1;
    const turn = queue.then(work).finally(() => {
      waiting -= 1;
    });
    queue = turn.catch(() => undefined);
    return turn;
  }

  function tell(outcome: EnrollmentOutcome, by: IssuedBy, address: string): EnrollmentOutcome {
    if (outcome.kind === 'refused') return outcome;
    const { name, kind, serial, notAfter, spki } = outcome.certificate;
    metrics.certificateIssued(by);
    log.info(
      { address, by, name, serial, notAfter: new Date(notAfter).toISOString(), spki },
      `issued a ${kind} certificate`,
    );
    return outcome;
  }

  const look = oneAtATime(async () => {
    await lookAtTokens();
    await lookAtCas();
  });
  const ticking = clock.every(LOOK_MS, () => {
    if (directory !== null) void look();
  });
  metrics.enrollmentOpen(false);
  return {
    follow(settings) {
      epoch += 1;
      const next = settings?.directory ?? null;
      const isForServers = settings?.renewServers === true;
      if (next === directory && isForServers === renewsServers) return;
      if (next !== directory) {
        tokens = [];
        seen = '';
      }
      directory = next;
      renewsServers = isForServers;
      cas = [];
      seenCas = '';
      void look();
    },
    epoch: () => epoch,
    isOpen,
    knows: (token) => directory !== null && findToken(tokens, token, clock.now()) !== null,
    async enroll(token, { address, request }) {
      const at = directory;
      if (at === null) return CLOSED;
      const outcome = await inTurn(() => enrollByToken(at, clock, { token, request }));
      void look();
      return tell(outcome, 'token', address);
    },
    async renew(held, { address, request }) {
      const at = directory;
      if (at === null) return CLOSED;
      return tell(await inTurn(() => renewHeld(at, clock, { held, kind: 'client', request })), 'certificate', address);
    },
    async renewServer(proof, { address, request }) {
      const at = directory;
      if (at === null || !renewsServers) return CLOSED;
      if (cas.length === 0) return { kind: 'refused', reason: 'enrollment_failed', detail: `there is no CA in ${at}` };
      const proved = judgeServerRenewal(request, proof, cas);
      if (typeof proved === 'string') return { kind: 'refused', reason: 'credentials_wrong', detail: proved };
      const outcome = await inTurn(async () => {
        if (used.has(proved.bytes)) {
          return { kind: 'refused', reason: 'credentials_wrong', detail: 'the proof was used already' };
        }
        const made = await renewHeld(at, clock, { held: proved.held, kind: 'server', request });
        if (made.kind === 'issued') used.add(proved.bytes, proof.time + PROOF_SKEW_MS, clock.now());
        return made;
      });
      return tell(outcome, 'key', address);
    },
    look,
    close() {
      directory = null;
      tokens = [];
      ticking.cancel();
    },
  };
}

const CLOSED: EnrollmentOutcome = { kind: 'refused', reason: 'enrollment_failed', detail: 'nobody enrolls here' };

/** What changes with every writing of the file; empty without one. */
async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
