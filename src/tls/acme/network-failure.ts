/** Errors of sockets, TLS and HTTP on the way to a CA, as an AcmeFailure that says what to look at. Pure. */
import { AcmeFailure } from './contract.ts';

/** Of the CA's TLS certificate, as OpenSSL and Node name them. */
const CERTIFICATE_CODE =
  /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|INVALID_CA|HOSTNAME_MISMATCH|PATH_LENGTH)/;
/** What does not speak HTTP, or too much of it. */
const GARBAGE_CODE = /^(?:HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_|UND_ERR_INVALID|ERR_SSL_)/;

/** @param host of the CA, for messages */
export function failureOf(error: unknown, what: string, host: string): AcmeFailure {
  if (error instanceof AcmeFailure) return error;
  const code = codeOf(error);
  if (CERTIFICATE_CODE.test(code)) {
    const hint = 'a private CA needs ca_file';
    return new AcmeFailure('unreachable', `the TLS certificate of ${host} is not trusted: ${code} (${hint})`);
  }
  if (GARBAGE_CODE.test(code))
    return new AcmeFailure('garbage', `${what} answered something that is not HTTP: ${code}`);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new AcmeFailure('unreachable', `${host} cannot be resolved: ${code}`);
  }
  return new AcmeFailure('unreachable', `${what} failed: ${code}`);
}

/** The code of an error or of what caused it; never its message, which may hold what the other side sent. */
function codeOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 3) return 'unknown error';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0], depth + 1);
  return error.cause === undefined ? error.name : codeOf(error.cause, depth + 1);
}
