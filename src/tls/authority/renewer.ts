/**
 * Renews the gate's own server certificates where the own CA issued them and its key lies beside them: same names, same
 * key, one file. For networks without ACME. It never touches a certificate of another CA.
 */
import { dirname } from 'node:path';
import { X509Certificate } from 'node:crypto';
import type { KeyPair } from '../../config/config.ts';
import { spkiPin } from '../../formats/spki-pin.ts';
import { parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Clock } from '../../lib/clock.ts';
import { replaceFile } from '../../lib/private-file.ts';
import { readAuthority, readIfThere, recordIssued } from './authority-directory.ts';
import type { Authority } from './authority-directory.ts';
import type { KeeperLog } from './crl-keeper.ts';
import { issueAgain } from './issue.ts';
import { oneAtATime } from './one-at-a-time.ts';

const LOOK_MS = 60 * 60_000;
const DAY_MS = 86_400_000;
/** After a configuration has come to run. */
const SOON_MS = 1000;

export interface RenewerMetrics {
  certificateRenewed(name: string, ok: boolean): void;
}

export interface Renewer {
  /** The certificates of the configuration in force; looks at once. */
  follow(certificates: readonly KeyPair[]): void;
  /** Looks now; never rejects. */
  look(): Promise<void>;
  close(): void;
}

export type RenewalDecision =
  | { readonly kind: 'wait'; readonly until: number }
  /** The certificate would end with the CA: nothing to gain. */
  | { readonly kind: 'ends-with-ca' }
  | { readonly kind: 'renew'; readonly days: number };

/**
 * With a third of its life left a certificate is renewed, for as long as it had.
 * @param caEnd when the CA ends, in milliseconds since the epoch.
 */
export function decideRenewal(
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
  caEnd: number,
  now: number,
): RenewalDecision {
  const lifetime = notAfter - notBefore;
  const due = notAfter - lifetime / 3;
  if (now < due) return { kind: 'wait', until: due };
  const days = Math.max(1, Math.round(lifetime / DAY_MS));
  const end = Math.min(now + days * DAY_MS, caEnd);
  // Within the last third of the CA itself every look would win a little: a day is the least that is worth a file.
  return end - notAfter < Math.min(DAY_MS, lifetime / 3) ? { kind: 'ends-with-ca' } : { kind: 'renew', days };
}

export function createRenewer(ports: {
  readonly clock: Clock;
  readonly log: KeeperLog;
  readonly metrics: RenewerMetrics;
}): Renewer {
  const { clock, log, metrics } = ports;
  let certificates: readonly KeyPair[] = [];
  const said = new Map<string, string>();

  async function lookAt(pair: KeyPair): Promise<void> {
    const authority = await readAuthority(dirname(pair.name));
    if (authority?.key.kind !== 'ready') return;
    // What runs may be older than what is in the file: somebody else has renewed it, and the watch is about to see it.
    const text = await readIfThere(pair.name);
    const chain = parseCertificates(text ?? '');
    const [leaf, ...others] = chain.ok ? chain.value : [];
    if (leaf?.serial !== pair.serial || !isIssuedBy(leaf, authority)) return;
    const decision = decideRenewal(leaf, authority.certificate.notAfter, clock.now());
    if (decision.kind === 'wait') return;
    if (decision.kind === 'ends-with-ca') {
      tell(pair.name, 'the certificate ends with its CA, which cannot be renewed by the gate');
      return;
    }
    const ca = { cert: authority.cert, key: authority.key.pem };
    const { days } = decision;
    const cert = await issueAgain({ ca, old: leaf, kind: 'server', key: pair.key, days, now: clock.now() });
    await replaceFile(pair.name, cert + others.map(({ pem }) => pem).join(''));
    metrics.certificateRenewed(pair.name, true);
    said.delete(pair.name);
    const renewed = parseCertificates(cert);
    const [info] = renewed.ok ? renewed.value : [];
    if (info === undefined) return;
    log.info(
      { file: pair.name, serial: info.serial, notAfter: new Date(info.notAfter).toISOString() },
      'renewed the server certificate from the own CA',
    );
    await recordIssued(authority.paths, clock, {
      name: info.commonName ?? info.sans.dns[0] ?? info.sans.ip[0] ?? '',
      kind: 'server',
      serial: info.serial,
      notBefore: info.notBefore,
      notAfter: info.notAfter,
      spki: spkiPin(info.publicKeySpki),
    });
  }

  function tell(file: string, reason: string): void {
    if (said.get(file) === reason) return;
    said.set(file, reason);
    log.error({ file, reason }, 'the server certificate was not renewed, it is tried again every hour');
  }

  async function lookAtAll(): Promise<void> {
    for (const pair of certificates) {
      try {
        await lookAt(pair);
      } catch (error) {
        metrics.certificateRenewed(pair.name, false);
        tell(pair.name, error instanceof Error ? error.message : 'unknown reason');
      }
    }
  }

  const look = oneAtATime(lookAtAll);
  const ticking = clock.every(LOOK_MS, () => void look());
  return {
    follow(configured) {
      certificates = configured.filter(({ name }) => name !== 'inline');
      if (certificates.length > 0) clock.after(SOON_MS, () => void look());
    },
    look,
    close() {
      certificates = [];
      ticking.cancel();
    },
  };
}

/** Verified by signature: a name can be anybody's. */
function isIssuedBy({ der }: CertificateInfo, { certificate }: Authority): boolean {
  const [leaf, issuer] = [new X509Certificate(der), new X509Certificate(certificate.der)];
  return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
}
