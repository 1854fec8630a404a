/**
 * Step 2: who is it? Exempt paths, then the client certificate, then user and password; glue only. Fails closed: the
 * hook goes on only with an identity. A request for a certificate ends here, with its answer.
 */
import basicAuth from '@fastify/basic-auth';
import fp from 'fastify-plugin';
import type { Config } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';
import { escapeForeign, quoteForeign } from '../../lib/foreign-text.ts';
import type { PresentedCertificate } from '../connection.ts';
import type { Enrollment } from '../enrollment.ts';
import type { VerifiedCertificate } from '../identity.ts';
import type { Passage } from '../passage.ts';
import { createClaims, type Claims } from './claim.ts';
import { certificateOutcome, describeHolder, wasNotAsked } from './client-certificate.ts';
import { createEnrollmentDesk, isForEnrollment } from './enrollment.ts';
import { ANONYMOUS, isExempt } from './exempt.ts';
import { authenticate, refusalByCertificate, takesPasswords } from './modes.ts';
import type { PasswordOutcome, Refused, Settled } from './modes.ts';
import type { PasswordCheck } from './password-check.ts';
import { createPublishedLists } from './published-lists.ts';

export interface AuthenticateOptions {
  readonly passwordCheck: PasswordCheck;
  readonly clock: Clock;
  /** Absent: nobody gets a certificate here. */
  readonly enrollment?: Enrollment;
}

export const authenticatePlugin = fp<AuthenticateOptions>(
  async (app, { passwordCheck, clock, enrollment }) => {
    const desk = enrollment === undefined ? null : createEnrollmentDesk({ enrollment, passwordCheck, clock });
    const lists = createPublishedLists();
    const holders = new WeakMap<PresentedCertificate, VerifiedCertificate>();
    const claimsByConfig = new WeakMap<Config, Claims>();

    // It only reads the header, at once: our check decides, and what it refuses never becomes an error of Fastify's.
    let read: ReadCredentials | null = null;
    await app.register(basicAuth, {
      strictCredentials: true,
      utf8: true,
      validate(user, password, request, _reply, done) {
        read = { passage: request.passage, user, password };
        done();
      },
    });
    const readBasic = app.basicAuth.bind(app);

    function holderOf(presented: PresentedCertificate): VerifiedCertificate {
      const known = holders.get(presented);
      if (known !== undefined) return known;
      const holder = describeHolder(presented);
      holders.set(presented, holder);
      return holder;
    }

    function claimsOf(config: Config): Claims {
      const known = claimsByConfig.get(config);
      if (known !== undefined) return known;
      const claims = createClaims(config.identities);
      claimsByConfig.set(config, claims);
      return claims;
    }

    app.addHook('onRequest', (request, reply, next) => {
      const { passage } = request;
      const { config, connection, target, address } = passage;
      if (lists.answers(passage)) return;
      if (isExempt(config.exempt, target, address)) {
        passage.identity = ANONYMOUS;
        next();
        return;
      }
      const mode = config.authenticate;
      const facts = connection.facts.tls;
      const certificate = certificateOutcome(facts, config.tls?.trust ?? null, clock.now(), holderOf);
      if (desk !== null && isForEnrollment(target) && desk.takes(request, reply, certificate, claimsOf(config))) return;
      const conclude = (password: PasswordOutcome): void => {
        const outcome = authenticate({ mode, certificate, password, claims: claimsOf(config) });
        const isTooLate = desk !== null && isForEnrollment(target) && desk.isTooLate(request);
        if (settle(passage, outcome, isTooLate ? 'no enrollment token is pending' : null)) next();
      };
      const byCertificate = refusalByCertificate(mode, certificate);
      if (
        byCertificate !== null ||
        request.headers.authorization === undefined ||
        !takesPasswords(mode, config.users.size > 0)
      ) {
        conclude({ kind: 'notMine' });
        return;
      }
      readBasic(request, reply, (error) => {
        const credentials = read;
        read = null;
        // Whoever else's they were, they are not this request's.
        if (error !== undefined || credentials?.passage !== passage) {
          conclude(MALFORMED);
          return;
        }
        const { user, password } = credentials;
        passage.releases.push(passwordCheck.check({ user, password, address, config }, conclude));
      });
    });
  },
  { name: 'authenticate', dependencies: ['accept'], fastify: '5.x' },
);

/** What was read from a header, and of which request. */
interface ReadCredentials {
  readonly passage: Passage;
  readonly user: string;
  readonly password: string;
}

const MALFORMED: Refused = { kind: 'refused', reason: 'credentials_malformed' };

/**
 * @param detail of a refusal, where it is not about the certificate.
 * @returns whether the request may go on.
 */
function settle(passage: Passage, outcome: Settled, detail: string | null): boolean {
  const { connection, config, answer } = passage;
  if (outcome.kind === 'identified') {
    passage.identity = outcome.identity;
    connection.authenticated = true;
    return true;
  }
  const { reason, retryAfterSeconds } = outcome;
  const { tls } = connection.facts;
  const isAboutCertificate = reason.startsWith('certificate_') || reason === 'crl_expired';
  // A certificate belongs to its handshake: only a new connection can show a better one, or be asked for one.
  if (isAboutCertificate || (reason === 'credentials_missing' && wasNotAsked(tls, config.tls?.trust ?? null))) {
    connection.drain(config.drainTimeoutMs);
  }
  answer.refuse(reason, {
    ...(detail === null ? {} : { detail }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(isAboutCertificate && tls?.certificate ? { detail: describeRefused(tls.certificate) } : {}),
  });
  return false;
}

function describeRefused({ subject, serial, verifyError }: PresentedCertificate): string {
  return `${quoteForeign(subject)} serial ${escapeForeign(serial)}: ${verifyError ?? 'not acceptable now'}`;
}
