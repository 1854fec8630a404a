/**
 * The path on which clients and servers get their certificates: a pending one-time token, a client certificate that may be
 * renewed, or the proof of a server's key is the credential. Whoever brings none is told what every other path tells.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';
import { parseProof, PROOF_SKEW_MS } from '../../formats/key-proof.ts';
import type { KeyProof } from '../../formats/key-proof.ts';
import type { Clock } from '../../lib/clock.ts';
import { ENROLLMENT_BODY_LIMIT, ENROLLMENT_PATH } from '../enrollment.ts';
import type { Enrollment, EnrollmentOutcome } from '../enrollment.ts';
import type { Passage } from '../passage.ts';
import type { Target } from '../target.ts';
import { identityOf } from './claim.ts';
import type { Claims } from './claim.ts';
import type { VerifiedCertificate } from '../identity.ts';
import type { CertificateOutcome } from './modes.ts';
import type { PasswordCheck, TokenLockout } from './password-check.ts';
import { readSmallBody } from './small-body.ts';

export interface EnrollmentDesk {
  /** @returns whether it has taken over the request; false: it goes on as if there were no such path. */
  takes(request: FastifyRequest, reply: FastifyReply, certificate: CertificateOutcome, claims: Claims): boolean;
  /** Whether it brings what may have been a token, now that none is pending: for the log. */
  isTooLate(request: FastifyRequest): boolean;
}

/** Whether it is worth more than one comparison. */
export function isForEnrollment({ method, path }: Target): boolean {
  return path === ENROLLMENT_PATH && method === 'POST';
}

export interface EnrollmentPorts {
  readonly enrollment: Enrollment;
  readonly passwordCheck: Pick<PasswordCheck, 'tokens' | 'serverKeys'>;
  readonly clock: Clock;
}

export function createEnrollmentDesk({ enrollment, passwordCheck, clock }: EnrollmentPorts): EnrollmentDesk {
  const { tokens, serverKeys } = passwordCheck;

  /** Whether it may be looked at; else it is answered. */
  function isAdmitted({ passage }: FastifyRequest, credential: string, lockout: TokenLockout): boolean {
    const { address, answer, config } = passage;
    const retryAfterSeconds = lockout.lockedFor(address, credential, config);
    if (retryAfterSeconds === null) return true;
    lockout.refused(address);
    answer.refuse('locked_out', { retryAfterSeconds });
    return false;
  }

  /** The lockout first: it is there for who has guessed too often, whatever the next guess is. A token that comes again
   * gets a turn, since others may guess from the same address. */
  function byToken(request: FastifyRequest, reply: FastifyReply, token: string): void {
    const { address, answer } = request.passage;
    if (!isAdmitted(request, token, tokens)) return;
    if (!enrollment.knows(token)) {
      tokens.failed(address, token);
      answer.refuse('credentials_wrong', { detail: 'not a pending enrollment token' });
    } else {
      withBody({ request, reply, clock }, async (text) => {
        const outcome = await enrollment.enroll(token, { address, request: text });
        // Somebody else was quicker with the same token, or its time was over meanwhile.
        if (outcome.kind === 'refused' && outcome.reason === 'credentials_wrong') tokens.failed(address, token);
        return outcome;
      });
    }
  }

  /** The time before the body is read: an old proof costs nothing more. */
  function byServerKey(request: FastifyRequest, reply: FastifyReply, proof: KeyProof): void {
    const { address, answer } = request.passage;
    const credential = proof.signature.toString('base64url');
    if (!isAdmitted(request, credential, serverKeys)) return;
    if (Math.abs(proof.time - clock.now()) > PROOF_SKEW_MS) {
      serverKeys.failed(address, credential);
      answer.refuse('credentials_wrong', { detail: "the time of a server's proof is not that of this host" });
      return;
    }
    withBody({ request, reply, clock }, async (text) => {
      const outcome = await enrollment.renewServer(proof, { address, request: text });
      if (outcome.kind === 'refused' && outcome.reason === 'credentials_wrong') serverKeys.failed(address, credential);
      return outcome;
    });
  }

  function byCertificate(
    request: FastifyRequest,
    reply: FastifyReply,
    { holder, claims }: { readonly holder: VerifiedCertificate; readonly claims: Claims },
  ): void {
    const { passage } = request;
    const { address, answer, connection } = passage;
    const credentials = { user: null, certificate: holder };
    const claim = claims(credentials);
    passage.identity = identityOf(credentials, claim);
    const certificate = connection.facts.tls?.certificate ?? null;
    if (claim.kind === 'refused') {
      answer.refuse(claim.reason);
    } else if (claim.kind === 'rule' && claim.rule.allowFrom?.has(address) === false) {
      answer.refuse('identity_address');
    } else if (certificate === null) {
      answer.refuse('certificate_missing');
    } else {
      const epoch = enrollment.epoch();
      withBody({ request, reply, clock }, (text) => {
        // Whoever holds back the body must not be judged by a trust, or by identities, that are over.
        if (enrollment.epoch() === epoch) return enrollment.renew(certificate, { address, request: text });
        const detail = 'another configuration came into force before the request was whole';
        return Promise.resolve({ kind: 'refused', reason: 'enrollment_failed', detail } as const);
      });
    }
  }

  return {
    takes(request, reply, certificate, claims) {
      const { connection, config } = request.passage;
      // What is offered must be valid: beside a bad certificate no token counts.
      const isWithout = certificate.kind !== 'refused' || certificate.reason === 'certificate_missing';
      if (config.enrollment === null || connection.facts.tls === null || !isWithout) return false;
      const token = bearerToken(request.headers);
      if (token !== null && enrollment.isOpen()) {
        byToken(request, reply, token);
        return true;
      }
      const proof = config.enrollment.renewServers ? parseProof(request.headers.authorization) : null;
      if (proof !== null) {
        byServerKey(request, reply, proof);
        return true;
      }
      // Under `both` a certificate alone is nobody's.
      const mayRenew = config.enrollment.renew && config.authenticate !== 'both';
      if (certificate.kind !== 'verified' || !mayRenew || request.headers.authorization !== undefined) {
        return false;
      }
      byCertificate(request, reply, { holder: certificate.certificate, claims });
      return true;
    },
    isTooLate({ headers, passage }) {
      return passage.config.enrollment !== null && !enrollment.isOpen() && bearerToken(headers) !== null;
    },
  };
}

/** RFC 6750 §2.1. */
function bearerToken({ authorization = '' }: IncomingHttpHeaders): string | null {
  return /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(authorization)?.[1] ?? null;
}

interface Asked {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly clock: Clock;
}

function withBody({ request, reply, clock }: Asked, work: (text: string) => Promise<EnrollmentOutcome>): void {
  const { passage } = request;
  const { answer, expectsContinue } = passage;
  readSmallBody(request, reply, { limit: ENROLLMENT_BODY_LIMIT, expectsContinue, clock }, (body) => {
    if (body.kind === 'tooLarge') answer.refuse('body_too_large', { detail: 'a certificate request' });
    if (body.kind === 'late')
      answer.refuse('header_timeout', { detail: 'the certificate request did not come in time' });
    if (body.kind !== 'whole') return;
    passage.bytesIn = body.text.length;
    work(body.text).then(
      (outcome) => {
        conclude(passage, outcome);
      },
      (error: unknown) => {
        answer.refuse('internal_error', { detail: error instanceof Error ? error.message : 'unknown reason' });
      },
    );
  });
}

function conclude({ answer }: Passage, outcome: EnrollmentOutcome): void {
  if (outcome.kind === 'refused') {
    answer.refuse(outcome.reason, { detail: outcome.detail });
    return;
  }
  const body = Buffer.from(outcome.pem);
  answer.open(200, {
    // RFC 8555 §9.1.
    'content-type': 'application/pem-certificate-chain',
    'content-length': String(body.length),
    'cache-control': 'no-store',
  });
  answer.write(body);
  answer.end();
}
