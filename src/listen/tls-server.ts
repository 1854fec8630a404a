/**
 * One TLS server per configuration, which never listens: raw sockets are fed to it. A reload makes a new one, so that
 * certificates, CAs, CRLs, versions and ALPN change as a whole, with fresh ticket keys; old connections live on.
 */
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls';
import type { Config, Tls } from '../config/config.ts';
import type { TlsFacts } from '../request/connection.ts';
import { BoundedStream } from './bounded-stream.ts';
import { readAuthorities } from './certificate-chain.ts';
import { tlsFactsOf } from './connection-facts.ts';
import type { ListenPorts } from './ports.ts';
import { indexForServerName } from './server-name.ts';

export interface TlsServerPorts extends Pick<ListenPorts, 'secureContextOptions'> {
  /** @param raw the accepted socket; undefined where this release of Node does not tell. */
  secured(socket: TLSSocket, raw: Socket | undefined, facts: TlsFacts): void;
  /** @param detail OpenSSL's or Node's code. */
  failed(reason: 'tls_handshake_failed' | 'tls_handshake_timeout', raw: Socket | undefined, detail: string): void;
}

/** @throws Error when OpenSSL refuses certificate, key, CA or CRL. */
export function createTlsServer(tls: Tls, config: Pick<Config, 'http2' | 'limits'>, ports: TlsServerPorts): Server {
  const [first] = tls.certificates;
  if (first === undefined) throw new Error('a TLS configuration without a certificate');
  const contexts = tls.certificates.map((pair) => createSecureContext(ports.secureContextOptions(pair, tls)));
  const certificateRequested = tls.trust.type !== 'NoClientCert';
  const server = createServer({
    ...ports.secureContextOptions(first, tls),
    requestCert: certificateRequested,
    // The exact reason of a bad certificate is for log and metric; whoever judges the facts destroys the connection.
    rejectUnauthorized: false,
    handshakeTimeout: config.limits.handshakeTimeoutMs,
    ALPNProtocols: config.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    SNICallback: (servername, done) => {
      done(null, contexts[indexForServerName(servername, tls.certificates)]);
    },
  });
  const authorities = readAuthorities(tls.trust);
  const presented = certificateRequested ? rememberPresented(server) : null;
  server.on('secureConnection', (socket) => {
    const shown = presented?.get(socket) ?? socket.getPeerX509Certificate();
    presented?.delete(socket);
    ports.secured(socket, rawOf(socket), tlsFactsOf(socket, { certificateRequested, authorities, presented: shown }));
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    const { code = 'unknown' } = error;
    const reason = code === 'ERR_TLS_HANDSHAKE_TIMEOUT' ? 'tls_handshake_timeout' : 'tls_handshake_failed';
    ports.failed(reason, rawOf(socket), code);
    // Without this a socket whose handshake timed out stays open.
    socket.destroy();
  });
  return server;
}

/**
 * Some releases of Node (24.21, 26.8: nodejs/node#65579) throw the certificates that a client sent beside its leaf away
 * before 'secureConnection'. They are there when the handshake ends, and 'keylog' is the one event that hands out the
 * socket before that. The line itself, a secret, is not looked at.
 */
function rememberPresented(server: Server): WeakMap<TLSSocket, X509Certificate> {
  const presented = new WeakMap<TLSSocket, X509Certificate>();
  const watched = new WeakSet<TLSSocket>();
  server.on('keylog', (_line: Buffer, socket: TLSSocket) => {
    if (watched.has(socket)) return;
    watched.add(socket);
    socket.prependOnceListener('secure', () => {
      const certificate = socket.getPeerX509Certificate();
      if (certificate !== undefined) presented.set(socket, certificate);
    });
  });
  return presented;
}

/** The socket below: it knows the peer when the TLS socket has forgotten it (after a reset), and who is still shaking hands. */
function rawOf(socket: TLSSocket): Socket | undefined {
  const { _parent: parent, _handle: handle } = socket as {
    _parent?: Socket | null;
    _handle?: { readonly _parentWrap?: { readonly stream?: unknown } | null } | null;
  };
  // Node has a wrapper for what is no socket of its own, which it forgets with the handle.
  const stream = handle?._parentWrap?.stream;
  return stream instanceof BoundedStream ? stream.raw : (parent ?? undefined);
}
