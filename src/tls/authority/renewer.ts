/**
 * Renews the gate's own server certificates where the own CA issued them and its key lies beside them: same names, same
 * key, one file. For networks without ACME. It never touches a certificate of another CA.
 */
import { dirname } from 'node:path';
import type { KeyPair } from '../../config/config.ts';
import { spkiPin } from '../../formats/spki-pin.ts';
import { parseCertificates } from '../../formats/x509.ts';
import type { Clock } from '../../lib/clock.ts';
import { replaceFile, whyNotWritable } from '../../lib/private-file.ts';
import { ownCas, readAuthority, readIfThere, recordIssued } from './authority-directory.ts';
import { createHourlyCare } from './hourly-care.ts';
import type { KeeperLog } from './hourly-care.ts';
import { issueAgain } from './issue.ts';
import { chainBehind, isSignedBy } from './issuer.ts';
import { publicKeyOf } from './keys.ts';

const DAY_MS = 86_400_000;

export interface RenewerMetrics {
  certificateRenewed(name: string, ok: boolean): void;
}

export interface Renewer {
  /** The certificates of the configuration in force; looks at once. */
  follow(certificates: readonly KeyPair[]): void;
  /** Looks now; never rejects. */
  look(): Promise<void>;
  /** What the last look found that nobody mends without being told, one sentence each. */
  worries(): readonly string[];
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
  const said = new Map<string, string>();
  const worries = new Map<string, string>();

  async function lookAt(pair: KeyPair): Promise<void> {
    const authority = await readAuthority(dirname(pair.name));
    if (authority?.key.kind !== 'ready') return;
    const { pems } = authority.key;
    // What runs may be older than what is in the file: somebody else has renewed it, and the watch is about to see it.
    const text = await readIfThere(pair.name);
    const chain = parseCertificates(text ?? '');
    const [leaf, ...others] = chain.ok ? chain.value : [];
    // During a rotation it may still be of the former CA; the new one has the say.
    if (leaf?.serial !== pair.serial) return;
    if (!ownCas(authority, pems).some(({ certificate }) => isSignedBy(leaf, certificate))) return;
    const directory = dirname(pair.name);
    const obstacle = await whyNotWritable(directory);
    if (obstacle !== null) {
      const end = new Date(leaf.notAfter).toISOString();
      const worry = `cannot write ${directory} (${obstacle}): the certificate ${pair.name} ends ${end} and nothing renews it`;
      if (worries.get(pair.name) !== worry) {
        log.error({ file: pair.name, hint: 'let the gate write there, or run `promgate init` by a timer' }, worry);
      }
      worries.set(pair.name, worry);
      return;
    }
    worries.delete(pair.name);
    const decision = decideRenewal(leaf, authority.certificate.notAfter, clock.now());
    if (decision.kind === 'wait') return;
    if (decision.kind === 'ends-with-ca') {
      tell(pair.name, 'the certificate ends with its CA, which cannot be renewed by the gate');
      return;
    }
    const ca = { cert: authority.cert, key: authority.key.pem };
    const { days } = decision;
    const publicKey = publicKeyOf(pair.key);
    const cert = await issueAgain({ ca, old: leaf, kind: 'server', publicKey, days, now: clock.now() });
    await replaceFile(pair.name, cert + chainBehind(authority, others));
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
      issuer: info.issuerKey,
    });
  }

  function tell(file: string, reason: string): void {
    if (said.get(file) === reason) return;
    said.set(file, reason);
    log.error({ file, reason }, 'the server certificate was not renewed, it is tried again every hour');
  }

  const care = createHourlyCare<KeyPair>({
    clock,
    lookAt,
    failed: ({ name }, reason) => {
      metrics.certificateRenewed(name, false);
      tell(name, reason);
      worries.set(name, `the certificate ${name} is not renewed: ${reason}`);
    },
  });
  return {
    follow(configured) {
      const files = configured.filter(({ name }) => name !== 'inline');
      for (const name of worries.keys()) if (!files.some((file) => file.name === name)) worries.delete(name);
      care.follow(files);
    },
    look: () => care.look(),
    worries: () => [...worries.values()],
    close: () => {
      care.close();
    },
  };
}
