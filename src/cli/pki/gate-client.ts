/**
 * Asks a gate for a certificate. Nothing is sent before the gate has proved who it is: by a CA of a given fingerprint, by
 * a CA file, or by the CAs of the system. One request, one bounded answer, one deadline.
 */
import type { X509Certificate } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { systemClock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { toPem } from '../../formats/pem.ts';
import { ENROLLMENT_PATH } from '../../request/enrollment.ts';

export interface GateAddress {
  /** `https://host:port`, as it was given. */
  readonly url: string;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

export interface GateCall {
  /** PEM of the CAs that the gate is verified against; null: those of the system. */
  readonly ca: string | null;
  /** Where they were read from. */
  readonly caFile?: string | null;
  /** A certificate request, PEM; behind the certificate of a server that renews it. */
  readonly request: string;
  /** The Authorization header, with the token or the proof of a server's key. */
  readonly authorization?: string;
  readonly isRenewal?: boolean;
  readonly client?: { readonly cert: string; readonly key: string };
}

export interface GateAnswer {
  readonly status: number;
  /** By the gate's clock, milliseconds since the epoch; null: it did not say. */
  readonly date: number | null;
  readonly body: string;
}

/** The alert to a client without a certificate: RFC 8446 §6.2, before it RFC 5246 §7.4.6. */
const ASKS_FOR_CERTIFICATE = /^ERR_SSL_.*ALERT_(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)$/;
const DEADLINE_MS = 30_000;
const MOST_BYTES = 256 * 1024;
/** Beyond this nothing of what a server sends is looked at. */
const LONGEST_CHAIN = 8;

/** @throws {PromgateError} USAGE when it is no https URL of a host. */
export function parseGate(text: string): GateAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (url?.protocol !== 'https:' || !isPlain || url.pathname !== '/') {
    throw new PromgateError('USAGE', `${JSON.stringify(text)} is not where a gate is`, {
      hint: 'write --gate=https://HOST:PORT',
    });
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { url: url.origin, host, port: url.port === '' ? 443 : Number(url.port) };
}

/** SHA-256 in hex, with or without colons. @throws {PromgateError} USAGE. */
export function parseFingerprint(text: string): string {
  const hex = text
    .replace(/^sha256[:/ ]/i, '')
    .replaceAll(':', '')
    .toUpperCase();
  if (/^[0-9A-F]{64}$/.test(hex)) return hex;
  throw new PromgateError('USAGE', '--ca-fingerprint is not the SHA-256 of a certificate: 64 hex digits', {
    hint: '`promgate pki token` prints the whole command; `openssl x509 -fingerprint -sha256 -in ca.crt` shows it',
  });
}

/**
 * The CA of this fingerprint, among the certificates that the gate shows. The connection is closed without a byte of
 * HTTP: whoever shows a certificate has proved nothing yet.
 * @returns PEM, to be verified against in a connection of its own.
 * @throws {PromgateError} ENROLLMENT_REFUSED.
 */
export async function findPinnedCa(gate: GateAddress, fingerprint: string): Promise<string> {
  const shown = await shownChain(gate);
  const pinned = shown.find((certificate) => certificate.fingerprint256.replaceAll(':', '') === fingerprint);
  if (pinned?.ca === true) return toPem('CERTIFICATE', pinned.raw);
  throw refused(gate, 'does not show the CA of --ca-fingerprint; nothing was sent', {
    hint: 'is it the gate of that CA? With a server certificate of another CA: --ca-file=FILE, or --public-ca',
  });
}

function shownChain(gate: GateAddress): Promise<readonly X509Certificate[]> {
  const { host, port } = gate;
  return new Promise((resolve, reject) => {
    // Nobody is trusted yet: what is shown is only looked at.
    const socket = connect({ host, port, ...serverName(host), ALPNProtocols: ['http/1.1'], rejectUnauthorized: false });
    const deadline = systemClock.after(DEADLINE_MS, () => socket.destroy(new Error('no answer in time')), {
      ref: true,
    });
    socket.once('secureConnect', () => {
      deadline.cancel();
      const chain: X509Certificate[] = [];
      let next = socket.getPeerX509Certificate();
      while (next !== undefined && chain.length < LONGEST_CHAIN) {
        chain.push(next);
        next = next.issuerCertificate;
      }
      socket.destroy();
      resolve(chain);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      deadline.cancel();
      reject(refused(gate, `cannot be reached: ${error.code ?? error.message}`, { cause: error }));
    });
  });
}

/** @throws {PromgateError} ENROLLMENT_REFUSED when the gate is not verified, or there is no whole answer in time. */
export function askGate(
  gate: GateAddress,
  { ca, caFile = null, request, authorization, isRenewal = false, client }: GateCall,
): Promise<GateAnswer> {
  const { host, port } = gate;
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      deadline.cancel();
      asked.destroy();
      reject(unreached(gate, error, { isRenewal, isServer: client === undefined, caFile }));
    };
    const asked = httpsRequest(
      {
        host,
        port,
        ...serverName(host),
        path: ENROLLMENT_PATH,
        method: 'POST',
        agent: false,
        rejectUnauthorized: true,
        ...(ca === null ? {} : { ca }),
        ...client,
        headers: {
          'content-type': isRenewal && client === undefined ? 'application/x-pem-file' : 'application/pkcs10',
          'content-length': String(Buffer.byteLength(request)),
          'user-agent': 'promgate',
          ...(authorization === undefined ? {} : { authorization }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          length += chunk.length;
          if (length > MOST_BYTES) fail(new Error('the answer is too large'));
        });
        response.on('error', fail);
        response.on('end', () => {
          deadline.cancel();
          const date = Date.parse(response.headers.date ?? '');
          resolve({
            status: response.statusCode ?? 0,
            date: Number.isNaN(date) ? null : date,
            body: Buffer.concat(chunks).toString('latin1'),
          });
        });
      },
    );
    const deadline = systemClock.after(
      DEADLINE_MS,
      () => {
        fail(new Error('no answer in time'));
      },
      { ref: true },
    );
    asked.on('error', fail);
    asked.end(request);
  });
}

/** RFC 6066 §3: no address is a server name. */
function serverName(host: string): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}

interface Circumstances {
  readonly isRenewal: boolean;
  /** Of a renewal: whose certificate it is. */
  readonly isServer: boolean;
  readonly caFile: string | null;
}

function unreached(
  gate: GateAddress,
  error: NodeJS.ErrnoException,
  { isRenewal, isServer, caFile }: Circumstances,
): PromgateError {
  const { code = '', message } = error;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return refused(gate, 'shows a certificate for other names; nothing was sent', {
      hint: 'write --gate with a name or an address of its certificate',
      cause: error,
    });
  }
  if (code === 'ECONNRESET' || ASKS_FOR_CERTIFICATE.test(code)) {
    const renewal = isServer
      ? 'it renews no server certificates (enrollment: { renew_servers: true }), or this address is not allowed'
      : 'the certificate was revoked or has ended, or this address is not allowed; a new token gets a new one';
    return refused(gate, 'closed the connection', {
      hint: isRenewal ? renewal : 'no token is pending there (any more), or this address is not allowed',
      cause: error,
    });
  }
  // OpenSSL's verdicts have no prefix; what else can go wrong is an errno, ERR_… or HPE_….
  const isUnverified = code !== '' && !/^(?:E[A-Z0-9]+$|ERR_|HPE_)/.test(code);
  const what = isUnverified
    ? `cannot be verified (${code}); nothing was sent`
    : `cannot be reached: ${code || message}`;
  const other = '--ca-file=FILE names the CA of its certificate, --public-ca those of the system';
  const hint =
    isRenewal && caFile !== null ? `was the CA rotated? put its new ca.crt in the place of ${caFile}; ${other}` : other;
  return refused(gate, what, { ...(isUnverified ? { hint } : {}), cause: error });
}

export function refused(
  { url }: GateAddress,
  what: string,
  details: { readonly hint?: string; readonly cause?: unknown } = {},
): PromgateError {
  return new PromgateError('ENROLLMENT_REFUSED', `${url} ${what}`, details);
}
