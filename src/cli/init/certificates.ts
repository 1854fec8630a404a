/**
 * Plans the own CA and what it issues: makes what is missing, renews what ends soon, and never touches a certificate
 * that another CA issued. A renewal keeps the key, so that one file changes and no moment has a pair that does not match.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { issueClient, issueServer } from '../../tls/authority/issue.ts';
import { isUsableKey } from '../../tls/authority/keys.ts';
import type { CertificateAndKey } from '../../tls/authority/keys.ts';
import { isDnsName } from '../../tls/authority/names.ts';
import { unnamedAddresses } from '../host-addresses.ts';
import { RENEW_WITHIN_MS, untilEnd } from '../start-hints.ts';
import { planAuthority } from './authority.ts';
import type { InitEnvironment } from './environment.ts';
import type { Layout, PairPaths, PairState } from './layout.ts';
import { joinPlans, newFile, NOTHING_TO_DO } from './plan.ts';
import type { Plan, Write } from './plan.ts';
import type { CertificateInfo } from '../../formats/x509.ts';

const DAYS = 397;
const DAY_MS = 86_400_000;

export interface CertificateRequest {
  readonly layout: Layout;
  readonly states: { readonly ca: PairState; readonly server: PairState; readonly client: PairState };
  /** What the configuration refers to, or will. */
  readonly wanted: { readonly server: boolean; readonly clients: boolean };
  /** Whether there is no configuration yet: then everything must be there in the end. */
  readonly isFirst: boolean;
  /** Issue anew what the own CA issued, whatever its end. */
  readonly renew: boolean;
  readonly environment: InitEnvironment;
}

/** One end certificate that `init` looks after. */
interface Leaf {
  readonly paths: PairPaths;
  readonly state: PairState;
  readonly issue: (
    ca: CertificateAndKey,
    key: string | undefined,
    old: CertificateInfo | null,
  ) => Promise<CertificateAndKey>;
}

export async function planCertificates(request: CertificateRequest): Promise<Plan> {
  const { layout, states, wanted, environment } = request;
  if (!wanted.server && !wanted.clients) return NOTHING_TO_DO;
  const leaves: Leaf[] = [];
  if (wanted.server) leaves.push(serverLeaf(request));
  // Without the CA's key the clients of an existing configuration are certified elsewhere.
  const certifiedElsewhere = !request.isFirst && (states.ca.kind === 'cert-only' || states.ca.kind === 'unusable');
  if (wanted.clients && !certifiedElsewhere) leaves.push(clientLeaf(request));
  const missing = leaves.filter(({ state }) => state.kind === 'absent' || state.kind === 'key-only');

  const authority = await planAuthority({
    paths: layout.ca,
    state: states.ca,
    isNeeded: missing.length > 0 || (wanted.clients && (states.ca.kind === 'absent' || states.ca.kind === 'key-only')),
    issued: [states.server, states.client],
    environment,
  });
  const plans = [authority.plan];
  for (const leaf of leaves) plans.push(await planLeaf(leaf, authority.ca, request));
  return joinPlans(plans);
}

function serverLeaf({ layout, states, environment, renew }: CertificateRequest): Leaf {
  return {
    paths: layout.server,
    state: states.server,
    issue: (ca, key, old) => {
      // A renewal before the end must not take away a name that somebody uses; `--renew` is asked for to tidy up.
      const kept = old === null ? [] : [...old.sans.dns, ...(renew ? [] : old.sans.ip)];
      const own = ['localhost', '127.0.0.1', '::1', environment.hostName.toLowerCase(), ...environment.addresses];
      const names = [...new Set([...own, ...kept])].filter((name) => isIP(name) !== 0 || isDnsName(name));
      return issueServer({
        ca,
        names,
        days: DAYS,
        now: environment.clock.now(),
        ...(key === undefined ? {} : { key }),
      });
    },
  };
}

function clientLeaf({ layout, states, environment }: CertificateRequest): Leaf {
  return {
    paths: layout.client,
    state: states.client,
    issue: (ca, key) => {
      const now = environment.clock.now();
      const sans = [{ type: 'dns' as const, value: 'prometheus' }];
      return issueClient({ ca, name: 'prometheus', sans, days: DAYS, now, ...(key === undefined ? {} : { key }) });
    },
  };
}

async function planLeaf(leaf: Leaf, ca: CertificateAndKey | null, request: CertificateRequest): Promise<Plan> {
  const { paths, state } = leaf;
  switch (state.kind) {
    case 'unusable':
      return obstacle(state.message, `repair it, or move ${paths.cert} and ${paths.key} away; init makes new ones`);
    case 'cert-only':
      return obstacle(`${paths.cert} is there without ${paths.key}`, `bring the key back, or move ${paths.cert} away`);
    case 'key-only':
      if (!isUsableKey(state.key)) return obstacle(`${paths.key} is not a key that can be certified`, 'move it away');
      return ca === null ? NOTHING_TO_DO : made(paths, await leaf.issue(ca, state.key, null), true);
    case 'absent':
      return ca === null ? NOTHING_TO_DO : made(paths, await leaf.issue(ca, undefined, null), false);
    case 'complete':
      return planRenewal(leaf, state, ca, request);
  }
}

async function planRenewal(
  { paths, issue }: Leaf,
  { pair, certificate }: Extract<PairState, { kind: 'complete' }>,
  ca: CertificateAndKey | null,
  { environment, renew }: CertificateRequest,
): Promise<Plan> {
  const now = environment.clock.now();
  const endsSoon = certificate.notAfter - now <= RENEW_WITHIN_MS;
  const end = `${paths.cert} ${untilEnd(certificate.notAfter, now)}`;
  if (ca === null || !isIssuedBy(certificate, ca) || !isUsableKey(pair.key)) {
    const remedy = 'the CA that issued it is not at hand here, renew it where it came from';
    return endsSoon || renew ? { ...NOTHING_TO_DO, warnings: [`${end}: ${remedy}`] } : NOTHING_TO_DO;
  }
  if (renew || endsSoon) {
    const { cert } = await issue(ca, pair.key, certificate);
    // When the CA itself is about to end, a new certificate would end with it, and every start would renew it again.
    const gain = Date.parse(new X509Certificate(cert).validTo) - certificate.notAfter;
    if (!renew && gain < DAY_MS) return NOTHING_TO_DO;
    return { ...NOTHING_TO_DO, writes: [{ path: paths.cert, text: cert, mode: 0o644, replace: true }] };
  }
  if (certificate.sans.ip.length === 0) return NOTHING_TO_DO;
  const unnamed = unnamedAddresses(certificate.sans.ip, environment.addresses);
  if (unnamed.length === 0) return NOTHING_TO_DO;
  const warning = `${paths.cert} does not name ${unnamed.join(', ')}: \`promgate init --renew\` issues it anew`;
  return { ...NOTHING_TO_DO, warnings: [warning] };
}

function isIssuedBy({ pem }: CertificateInfo, ca: CertificateAndKey): boolean {
  const [certificate, issuer] = [new X509Certificate(pem), new X509Certificate(ca.cert)];
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function made(paths: PairPaths, { cert, key }: CertificateAndKey, hasKey: boolean): Plan {
  const writes: Write[] = hasKey ? [] : [newFile(paths.key, key, 0o600)];
  return { ...NOTHING_TO_DO, writes: [...writes, newFile(paths.cert, cert, 0o644)] };
}

function obstacle(message: string, hint: string): Plan {
  return { ...NOTHING_TO_DO, obstacles: [{ message, hint }] };
}
