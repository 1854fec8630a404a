/** Asks OpenSSL itself whether it will take a certificate, a CA or a list: what it refuses must not come up at run time. */
import { createSecureContext } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';

/** @returns null, or the reason in OpenSSL's words, such as `ee key too small`; it holds nothing of a key. */
export function opensslFault(options: SecureContextOptions): string | null {
  try {
    createSecureContext(options);
    return null;
  } catch (error) {
    const { reason, code } = error as { reason?: unknown; code?: unknown };
    if (typeof reason === 'string') return reason;
    return typeof code === 'string' ? code : 'unknown reason';
  }
}
