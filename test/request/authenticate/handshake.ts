/** A real handshake with a real certificate, and the facts that the listener writes down of it. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { ClientTrust, Tls } from '../../../src/config/config.ts';
import { parseCrls } from '../../../src/formats/crl.ts';
import { parseCertificates } from '../../../src/formats/x509.ts';
import { createTlsServer } from '../../../src/listen/tls-server.ts';
import type { TlsFacts } from '../../../src/request/connection.ts';
import { secureContextOptions } from '../../../src/tls/secure-context.ts';
import type { Issued } from '../../support/certificates.ts';
import { LIMITS, TLS_SETTINGS } from '../../support/config-fixture.ts';

export function trustOf(
  ca: readonly string[],
  crls: readonly string[] = [],
  changes: Partial<ClientTrust> = {},
): ClientTrust {
  const fingerprints = ca.flatMap((pem) => valueOf(parseCertificates(pem)).map(({ fingerprint }) => fingerprint));
  return {
    type: 'RequireAndVerifyClientCert',
    ca,
    caFingerprints: new Set(fingerprints),
    crls: crls.flatMap((pem) => valueOf(parseCrls(pem))),
    crlOnExpiry: 'deny',
    allowedSans: [],
    ...changes,
  };
}

function valueOf<T>(read: { ok: true; value: T } | { ok: false; message: string }): T {
  if (!read.ok) throw new Error(read.message);
  return read.value;
}

/** Connects once, with or without a client certificate, to the TLS server that the listener makes. */
export async function handshake(
  server: Issued,
  trust: ClientTrust,
  client: Pick<Issued, 'cert' | 'key'> | null,
): Promise<TlsFacts> {
  const pair = { cert: server.cert, key: server.key, name: 'server', names: [], notBefore: 0, notAfter: 0 };
  const tls: Tls = {
    settings: TLS_SETTINGS,
    certificates: [{ ...pair, serial: '', issuer: '', keyType: 'ec' }],
    trust,
  };
  const { promise, resolve, reject } = withResolvers<TlsFacts>();
  const listener = createTlsServer(
    tls,
    { http2: false, limits: LIMITS },
    {
      secureContextOptions,
      secured: (socket, _raw, facts) => {
        socket.on('error', () => undefined);
        socket.destroy();
        resolve(facts);
      },
      failed: (reason, _raw, detail) => {
        reject(new Error(`${reason}: ${detail}`));
      },
    },
  );
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const shown = client === null ? {} : { cert: client.cert, key: client.key };
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...shown });
  socket.on('error', () => undefined);
  try {
    return await promise;
  } finally {
    socket.destroy();
    listener.close();
  }
}

interface Resolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** Promise.withResolvers, which Node 20 has not. */
function withResolvers<T>(): Resolvers<T> {
  const functions: Partial<Resolvers<T>> = {};
  const promise = new Promise<T>((resolve, reject) => {
    Object.assign(functions, { resolve, reject });
  });
  return { ...functions, promise } as Resolvers<T>;
}
