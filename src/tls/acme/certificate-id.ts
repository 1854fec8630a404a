/** The name of a certificate in renewal information and in `replaces` (RFC 9773 §4.1). Pure. */
import { DerReader, TAG } from '../../formats/der.ts';
import { extensionsOf } from '../../formats/der-names.ts';
import { parsePem } from '../../formats/pem.ts';

const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35';
/** [0] IMPLICIT KeyIdentifier, the first member of AuthorityKeyIdentifier. */
const KEY_IDENTIFIER = 0x80;

/**
 * base64url(keyIdentifier of the issuer) "." base64url(serial number as its DER integer, sign byte included).
 * @returns null when the first certificate cannot be read or names no key of its issuer: no CA tells about such a one.
 */
export function certificateId(certPem: string): string | null {
  const blocks = parsePem(certPem);
  const der = blocks.ok ? blocks.value.find(({ label }) => label === 'CERTIFICATE')?.der : undefined;
  if (der === undefined) return null;
  try {
    const tbs = new DerReader(der).enter(TAG.sequence).enter(TAG.sequence);
    if (tbs.peek() === TAG.context0) tbs.skip();
    const serial = tbs.integer();
    while (!tbs.isAtEnd() && tbs.peek() !== TAG.context3) tbs.skip();
    if (tbs.isAtEnd()) return null;
    const extension = extensionsOf(tbs.enter(TAG.context3)).find(({ oid }) => oid === AUTHORITY_KEY_IDENTIFIER);
    if (extension === undefined) return null;
    const identifier = new DerReader(extension.value).enter(TAG.sequence);
    if (identifier.peek() !== KEY_IDENTIFIER) return null;
    return `${identifier.read(KEY_IDENTIFIER).toString('base64url')}.${serial.toString('base64url')}`;
  } catch {
    return null;
  }
}
