/** The CA that comes after another one. Its name and its dates tell the two apart, wherever they stand side by side. */
import { backdated, NAME_PREFIX, openCa, selfSigned } from './certificate-authority.ts';
import { generateKey } from './keys.ts';
import type { CertificateAndKey } from './keys.ts';
import { NAME_CONSTRAINTS } from './name-constraints.ts';

const GENERATION = / G(\d{1,4})$/;
/** RFC 5280, ub-common-name. */
const LONGEST_NAME = 64;

/**
 * A new key, a new name (`… G2`), the same name constraints, valid for as long, and always the younger one by its dates.
 * @param now milliseconds since the epoch.
 * @throws {TypeError} when certificate and key do not make a CA.
 */
export async function succeed(old: CertificateAndKey, now: number): Promise<CertificateAndKey> {
  const { certificate } = await openCa(old);
  const { notBefore, notAfter } = certificate;
  const begin = new Date(Math.max(backdated(now).getTime(), notBefore.getTime() + 1000));
  const constraints = certificate.getExtension(NAME_CONSTRAINTS);
  return selfSigned({
    subject: successorName(certificate.subjectName.getField('CN')[0] ?? ''),
    notBefore: begin,
    notAfter: new Date(begin.getTime() + notAfter.getTime() - notBefore.getTime()),
    key: generateKey(),
    constraints: constraints === null ? null : Buffer.from(constraints.value),
  });
}

/** `promgate CA fleet` → `promgate CA fleet G2` → `promgate CA fleet G3`: OpenSSL finds a list by the name of its CA. */
export function successorName(old: string): string {
  const generation = Number(GENERATION.exec(old)?.[1] ?? 1) + 1;
  const suffix = ` G${String(generation)}`;
  const base = old.replace(GENERATION, '');
  const named = base.startsWith(NAME_PREFIX) ? base : `${NAME_PREFIX}${base}`;
  return named.slice(0, LONGEST_NAME - suffix.length).trimEnd() + suffix;
}
