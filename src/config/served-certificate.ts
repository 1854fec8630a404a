/**
 * The gate's own certificate as a client will look at it, a Prometheus above all: what it refuses is said by `check`, and
 * not first by the centre when it fails to scrape. Nothing of it keeps the gate from starting.
 */
import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import type { CertificateInfo } from '../formats/x509.ts';
import type { DocumentPath, Problem } from '../lib/problem.ts';
import { validityProblems } from './validity.ts';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_PURPOSE = '2.5.29.37.0';

/**
 * @param chain as it is sent, leaf first; not empty.
 * @param now milliseconds since the epoch.
 */
export function servedProblems(chain: readonly CertificateInfo[], now: number, path: DocumentPath): Problem[] {
  const [leaf, ...behind] = chain;
  if (leaf === undefined) return [];
  const certificate = new X509Certificate(leaf.der);
  return [
    ...validity(leaf, now, path),
    ...nameProblems(leaf, path),
    ...purposeProblems(certificate, path),
    ...chainProblems(leaf, behind, certificate, path),
    ...behind.flatMap((one) =>
      validityProblems(one, now, path, `the certificate ${JSON.stringify(one.subject)} behind it`),
    ),
  ];
}

function validity(leaf: CertificateInfo, now: number, path: DocumentPath): Problem[] {
  const isNow = leaf.notBefore <= now && now <= leaf.notAfter;
  const hint = 'every client refuses it: renew it where it came from; `promgate init` renews what it has issued';
  return validityProblems(leaf, now, path, 'the certificate').map((problem): Problem =>
    isNow ? problem : { ...problem, hint: problem.hint ?? hint, servesNobody: true },
  );
}

/** Go has ignored the common name since 1.15, and browsers for longer. */
function nameProblems({ sans, commonName }: CertificateInfo, path: DocumentPath): Problem[] {
  if (sans.dns.length > 0 || sans.ip.length > 0) return [];
  const message =
    'the certificate has no name that a client looks at: a subject alternative name (DNS or IP) is missing';
  const known = commonName === null ? '' : ` of ${JSON.stringify(commonName)}`;
  const hint = `Prometheus does not read the common name${known}: issue it with the names that clients use`;
  return [{ severity: 'warning', message, hint, path, servesNobody: true }];
}

function purposeProblems(certificate: X509Certificate, path: DocumentPath): Problem[] {
  // The declared type forgets that a certificate without the extension has none.
  const usages = certificate.keyUsage as readonly string[] | undefined;
  if (certificate.ca) {
    const message = 'the certificate is that of a CA: clients may refuse it as one of a server';
    const hint = 'the first certificate of the file must be that of the server, the CA behind it';
    return [{ severity: 'warning', message, hint, path }];
  }
  if (usages === undefined || usages.includes(SERVER_AUTH) || usages.includes(ANY_PURPOSE)) return [];
  const message = 'the certificate is not for servers: its extended key usage has no serverAuth';
  const hint = 'every client refuses it; is it a client certificate? `promgate pki issue server NAME` makes one';
  return [{ severity: 'warning', message, hint, path, servesNobody: true }];
}

/**
 * Whether something is missing between the leaf and a root. A root of one's own need not be sent, and cannot be told from
 * a missing intermediate but by what the leaf says: public CAs tell where the certificate of the issuer is to be had.
 */
function chainProblems(
  leaf: CertificateInfo,
  behind: readonly CertificateInfo[],
  certificate: X509Certificate,
  path: DocumentPath,
): Problem[] {
  const isIssuer = (issuer: CertificateInfo, subject: CertificateInfo): boolean =>
    issuer.subjectKey === subject.issuerKey &&
    new X509Certificate(subject.der).checkIssued(new X509Certificate(issuer.der));
  const chain = [leaf, ...behind];
  const broken = chain.findIndex((one, index) => {
    const next = chain[index + 1];
    return next !== undefined && !isIssuer(next, one);
  });
  if (broken !== -1) {
    const one = chain[broken];
    const message = `the certificate behind ${JSON.stringify(one?.subject)} is not that of its issuer ${JSON.stringify(one?.issuer)}`;
    const hint = 'the file has the own certificate first, then each time that of the issuer of the one before';
    return [{ severity: 'warning', message, hint, path }];
  }
  if (behind.length > 0 || leaf.subjectKey === leaf.issuerKey) return [];
  const tellsIssuer = /^CA Issuers - URI:/m.test(certificate.infoAccess ?? '');
  if (!tellsIssuer || rootCertificates.some((root) => certificate.checkIssued(new X509Certificate(root)))) return [];
  const message = `the certificate of the issuer ${JSON.stringify(leaf.issuer)} is missing behind the own one`;
  const hint = 'clients that know the root alone refuse it: use the file with the whole chain (fullchain.pem)';
  return [{ severity: 'warning', message, hint, path }];
}
