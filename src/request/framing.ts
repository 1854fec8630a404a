/**
 * Contract: the headers and the framing of a request, judged once before everything. What two servers could read in two
 * ways is refused: a header that must be single, a body whose end is not certain, a value that cannot be sent on.
 */
import type { ArrivalFault } from './arrival.ts';

export interface Framing {
  /** As the request line says it; HTTP/2 is `2.0`. */
  readonly httpVersion: string;
  readonly method: string;
  /** Names and values alternating, as Node gives them; on HTTP/2 the pseudo headers are among them. */
  readonly rawHeaders: readonly string[];
  /** HTTP/2: whether the stream goes on after its headers (`!stream.endAfterHeaders`): a body without Content-Length. */
  readonly bodyFollows?: boolean;
}

const BODILESS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Judges what the parser let pass (RFC 9112 §3.2, §6; RFC 9113 §8.2, §8.3). One pass over the headers, for every request.
 * @returns the fault, or null when there is none.
 */
export function judgeFraming({ httpVersion, method, rawHeaders, bodyFollows = false }: Framing): ArrivalFault | null {
  let host: string | null = null;
  let authority: string | null = null;
  let contentLength: string | null = null;
  let transferEncoding: string | null = null;
  let hasAuthorization = false;
  let hasContentType = false;

  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    if (!isSendable(value)) return badHeader('a header value with a control character or beyond latin1');
    // The length decides for nearly all names; only what is left is compared in lower case.
    switch (name.length) {
      case 4:
        if (name.toLowerCase() !== 'host') break;
        if (host !== null) return badHeader('two Host headers');
        host = value;
        break;
      case 10:
        if (name !== ':authority') break;
        if (authority !== null) return badHeader('two :authority');
        authority = value;
        break;
      case 12:
        if (name.toLowerCase() !== 'content-type') break;
        if (hasContentType) return badHeader('two Content-Type headers');
        hasContentType = true;
        break;
      case 13:
        if (name.toLowerCase() !== 'authorization') break;
        if (hasAuthorization) return badHeader('two Authorization headers');
        hasAuthorization = true;
        break;
      case 14:
        if (name.toLowerCase() !== 'content-length') break;
        if (contentLength !== null) return badFraming('two Content-Length headers');
        contentLength = value;
        break;
      case 17:
        if (name.toLowerCase() !== 'transfer-encoding') break;
        if (transferEncoding !== null) return badFraming('two Transfer-Encoding headers');
        transferEncoding = value;
        break;
      default:
        break;
    }
  }
  return (
    judgeHost(httpVersion, host, authority) ??
    judgeVersion(httpVersion, rawHeaders) ??
    judgeBody(httpVersion, method, contentLength, transferEncoding, bodyFollows)
  );
}

function judgeHost(httpVersion: string, host: string | null, authority: string | null): ArrivalFault | null {
  if (host === null && authority === null) return httpVersion === '1.0' ? null : badHeader('no Host');
  if (host !== null && authority !== null && host.toLowerCase() !== authority.toLowerCase()) {
    return badHeader('a host unlike :authority');
  }
  return isHost(host ?? '') && isHost(authority ?? '') ? null : badHeader('a Host that is no host');
}

/** Node's parser takes `GET / HTTP/2.0` and `HTTP/0.9` on an HTTP/1 connection; a true h2 request has pseudo headers. */
function judgeVersion(httpVersion: string, rawHeaders: readonly string[]): ArrivalFault | null {
  if (httpVersion === '1.1' || httpVersion === '1.0') return null;
  if (httpVersion === '2.0' && rawHeaders[0]?.startsWith(':') === true) return null;
  return badFraming('an HTTP version that is not spoken here');
}

function judgeBody(
  httpVersion: string,
  method: string,
  contentLength: string | null,
  transferEncoding: string | null,
  bodyFollows: boolean,
): ArrivalFault | null {
  if (transferEncoding !== null) {
    if (httpVersion !== '1.1') return badFraming(`a transfer coding in HTTP/${httpVersion}`);
    if (transferEncoding.toLowerCase() !== 'chunked') return badFraming('a transfer coding other than chunked');
    if (contentLength !== null) return badFraming('Content-Length beside Transfer-Encoding');
  }
  const hasBody = transferEncoding !== null || bodyFollows || (contentLength !== null && contentLength !== '0');
  return hasBody && BODILESS.includes(method) ? badFraming(`a body on ${method}`) : null;
}

/** RFC 9110 §5.5 field content, and what undici sends without throwing: tab, printable ASCII and latin1 beyond. */
function isSendable(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}

/** Letters, digits and `-._:[]`: a host name or address with a port (RFC 9112 §3.2). It comes back in X-Forwarded-Host. */
function isHost(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
    const isDigitOrColon = code >= 0x30 && code <= 0x3a;
    const isOther = code === 0x2d || code === 0x2e || code === 0x5f || code === 0x5b || code === 0x5d;
    if (!isLetter && !isDigitOrColon && !isOther) return false;
  }
  return true;
}

function badHeader(detail: string): ArrivalFault {
  return { reason: 'bad_header', detail };
}

function badFraming(detail: string): ArrivalFault {
  return { reason: 'bad_framing', detail };
}
