/** An Upstream with every default filled in, for tests of the pure decisions. */
import type { Upstream } from '../../src/config/config.ts';

export function upstreamFixture(changes: Partial<Upstream> = {}): Upstream {
  return {
    name: 'http://127.0.0.1:9090',
    address: { kind: 'http', origin: 'http://127.0.0.1:9090', host: '127.0.0.1', port: 9090 },
    kind: 'prometheus',
    pathPrefix: '/',
    stripPrefix: false,
    basePath: '',
    alsoAllow: [],
    authorization: { kind: 'none' },
    tls: { ca: null, clientCertificate: null, serverName: null },
    maxConnections: 64,
    maxQueue: 256,
    queueTimeoutMs: 5_000,
    connectTimeoutMs: 5_000,
    responseTimeoutMs: 130_000,
    bodyTimeoutMs: 60_000,
    requestBodyLimit: 10_485_760,
    ...changes,
  };
}
