/** A real handshake with a real certificate, and the facts that the listener writes down of it. */
import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { ClientTrust } from '../../../src/config/config.ts';
import { parseCrls } from '../../../src/formats/crl.ts';
import { parseCertificates } from '../../../src/formats/x509.ts';
import { readAuthorities } from '../../../src/listen/certificate-chain.ts';
import { tlsFactsOf } from '../../../src/listen/connection-facts.ts';
import type { TlsFacts } from '../../../src/request/connection.ts';
import type { Issued } from '../../support/certificates.ts';

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
    allowedSans: [],
    ...changes,
  };
}

function valueOf<T>(read: { ok: true; value: T } | { ok: false; message: string }): T {
  if (!read.ok) throw new Error(read.message);
  return read.value;
}

/** Connects once, with or without a client certificate. */
export async function handshake(server: Issued, trust: ClientTrust, client: Issued | null): Promise<TlsFacts> {
  const crl = trust.crls.map(({ pem }) => pem);
  const listener = createServer({
    cert: server.cert,
    key: server.key,
    ca: [...trust.ca],
    ...(crl.length === 0 ? {} : { crl }),
    requestCert: true,
    rejectUnauthorized: false,
  });
  try {
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>;
    const shown = client === null ? {} : { cert: client.cert, key: client.key };
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...shown });
    socket.on('error', () => undefined);
    const [peer] = await accepted;
    peer.on('error', () => undefined);
    const presented = peer.getPeerX509Certificate();
    const facts = tlsFactsOf(peer, { certificateRequested: true, authorities: readAuthorities(trust), presented });
    peer.destroy();
    socket.destroy();
    return facts;
  } finally {
    listener.close();
  }
}
