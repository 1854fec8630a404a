/** The admin listener's answers about certificates: what is in use, and a renewal that is asked for and looked after. */
import { quoteForeign } from '../lib/foreign-text.ts';
import type { AdminReply, AdminRoutes } from './admin-routes.ts';
import type { Log } from './ports.ts';

export interface CertificateReport {
  readonly kind: 'certificate' | 'client_ca' | 'crl';
  readonly name: string;
  /** DNS names and addresses; empty for what has none. */
  readonly names: readonly string[];
  readonly issuer: string;
  /** Milliseconds since the epoch, as all times here; null: without end. */
  readonly notBefore: number;
  readonly notAfter: number | null;
  /** Where it comes from: a file, the name of a CA, or that it is self-signed. */
  readonly source: string;
  /** `soon`: something ought to have been done about it by now. */
  readonly state: 'ok' | 'soon' | 'ended';
  /** When the gate obtained it, and why then; null: it did not, or nobody wrote it down. */
  readonly issued: { readonly at: number; readonly why: string } | null;
  /** What happens next, and why then; null: nothing by itself. */
  readonly next: { readonly at: number; readonly why: string } | null;
  readonly lastError: { readonly at: number; readonly directory: string; readonly reason: string } | null;
}

export interface RenewalProgress {
  readonly running: boolean;
  readonly steps: readonly { readonly at: number; readonly step: string; readonly detail: string }[];
  /** Why it ended without success. */
  readonly error: string | null;
  readonly hint: string | null;
}

export interface CertificatePorts {
  certificates(): readonly CertificateReport[];
  /** Of the `acme` section in force, to see whether another file has the same one; null: there is none. */
  acmeDigest(): string | null;
  /** Begins a renewal; null: of every certificate. @returns why it does not begin, or null. */
  renewCertificates(name: string | null, isRehearsal: boolean): string | null;
  renewal(): RenewalProgress;
}

const LONGEST_NAME = 253;

export function createCertificateRoutes(
  ports: CertificatePorts,
  log: Log,
  reply: (status: number, value: unknown) => AdminReply,
): AdminRoutes {
  return {
    '/api/certificates': { GET: () => reply(200, { certificates: ports.certificates(), acme: ports.acmeDigest() }) },
    '/api/certificates/renew': {
      GET: () => reply(200, ports.renewal()),
      POST: ({ query }) => {
        const name = query.get('name');
        const isRehearsal = query.get('dry_run') === 'true';
        if (name !== null && (name === '' || name.length > LONGEST_NAME)) {
          return reply(400, { error: 'expected ?name= with the first name of a certificate' });
        }
        const refusal = ports.renewCertificates(name, isRehearsal);
        if (refusal !== null) return reply(409, { error: refusal });
        log.info({ certificate: name === null ? 'all' : quoteForeign(name), isRehearsal }, 'renewal asked for');
        return reply(202, ports.renewal());
      },
    },
  };
}
