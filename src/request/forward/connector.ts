/**
 * The undici client of one upstream's settings. TLS is always verified: neither http-proxy's default
 * (rejectUnauthorized: false) nor an option of ours can turn that off.
 */
import { buildConnector, Client } from 'undici';
import type { LookupFunction } from 'node:net';
import type { Upstream, UpstreamAddress } from '../../config/config.ts';
import { tryEachAddress } from '../../lib/lookup.ts';
import { repairReplies } from './lenient-socket.ts';
import type { MakeClient } from './pool.ts';

/** What an upstream may answer with before its body. */
const MAX_HEADER_BYTES = 65_536;
/** Longer than the usual scrape interval, so that a scrape pays no connection; an upstream's Keep-Alive hint wins. */
const KEEP_ALIVE_MS = 60_000;

type NetworkAddress = Exclude<UpstreamAddress, { kind: 'self' }>;

/** Everything that tells two pools apart, as one text. Holds private keys: never to be logged. */
export function poolKey(upstream: Upstream): string {
  const { name, address, tls } = upstream;
  return JSON.stringify([
    name,
    address,
    tls,
    upstream.maxConnections,
    upstream.maxQueue,
    upstream.queueTimeoutMs,
    upstream.connectTimeoutMs,
    upstream.responseTimeoutMs,
    upstream.bodyTimeoutMs,
    upstream.lenientHttp,
  ]);
}

/** The origin that requests are for; a unix socket has none of its own. */
export function originOf(address: NetworkAddress): string {
  return address.kind === 'unix' ? 'http://localhost' : address.origin;
}

/** @returns a maker of clients with one connection each, which share TLS sessions, and tell of each connection. */
export function clientFactory(upstream: Upstream, address: NetworkAddress, lookup: LookupFunction): MakeClient {
  const { tls } = upstream;
  const connect = buildConnector({
    timeout: upstream.connectTimeoutMs,
    rejectUnauthorized: true,
    lookup,
    ...tryEachAddress(upstream.connectTimeoutMs),
    ...(tls.ca === null ? {} : { ca: [...tls.ca] }),
    ...(tls.clientCertificate ?? {}),
    ...(tls.serverName === null ? {} : { servername: tls.serverName }),
    ...(address.kind === 'unix' ? { socketPath: address.socketPath } : {}),
  });
  const origin = originOf(address);
  return (connected) =>
    new Client(origin, {
      connect: (options, callback) => {
        connect(options, (...result) => {
          const [error, socket] = result;
          if (error === null) connected(socket, upstream.lenientHttp ? repairReplies(socket) : null);
          callback(...result);
        });
      },
      pipelining: 1,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: upstream.responseTimeoutMs,
      // Silence within a body is watched by the pool, which knows server-sent events when it sees them.
      bodyTimeout: 0,
    });
}
