/**
 * Whether each upstream answers: a probe every 15 s, the least that tells. A Prometheus is asked for /-/ready (no while
 * it replays its WAL), anything else gets a connection that is closed again. Never the reason for a refusal.
 */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createConnection, isIP } from 'node:net';
import type { LookupFunction, TcpNetConnectOpts } from 'node:net';
import type { Upstream } from '../config/config.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { addressesOf, tryEachAddress } from '../lib/lookup.ts';
import type { Watch } from './bypass.ts';
import type { Log, Metrics } from './ports.ts';

/** Why an upstream is down, for the log; null: it is up. */
export type Probe = (upstream: Upstream) => Promise<string | null>;

export interface UpstreamWatchPorts {
  readonly upstreams: readonly Upstream[];
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'upstreamUp'>;
  readonly probe: Probe;
  /** From 0 to 1, for the jitter. */
  readonly random?: () => number;
}

const INTERVAL_MS = 15_000;
const JITTER = 0.2;
const DEADLINE_MS = 5000;

/** Probes at once, then every 15 s give or take; one probe an upstream at a time. Logs only changes. */
export function watchUpstreams({ clock, log, metrics, probe, ...ports }: UpstreamWatchPorts): Watch {
  const random = ports.random ?? Math.random;
  let running: readonly { stop(): void }[] = [];
  const states = new Map<string, boolean>();

  const note = ({ name }: Upstream, fault: string | null): void => {
    const before = states.get(name);
    const up = fault === null;
    states.set(name, up);
    metrics.upstreamUp(name, up);
    if (before === up) return;
    if (!up) log.warn({ upstream: name, detail: fault }, 'upstream is down');
    else if (before === false) log.info({ upstream: name }, 'upstream is up');
  };

  const start = (upstream: Upstream): { stop(): void } => {
    let stopped = false;
    let timer: Timer | null = null;
    const again = (): void => {
      if (stopped) return;
      timer = clock.after(INTERVAL_MS * (1 + JITTER * (2 * random() - 1)), ask);
    };
    const ask = (): void => {
      probe(upstream)
        .catch((error: unknown) => causeOf(error))
        .then((fault) => {
          if (stopped) return;
          note(upstream, fault);
          again();
        }, again);
    };
    ask();
    return {
      stop() {
        stopped = true;
        timer?.cancel();
      },
    };
  };

  const apply = (upstreams: readonly Upstream[]): void => {
    for (const probing of running) probing.stop();
    for (const name of states.keys()) if (!upstreams.some((upstream) => upstream.name === name)) states.delete(name);
    // The gate serves `self` itself.
    for (const upstream of upstreams) if (upstream.address.kind === 'self') note(upstream, null);
    running = upstreams.filter((upstream) => upstream.address.kind !== 'self').map(start);
  };

  apply(ports.upstreams);
  return {
    apply,
    close() {
      apply([]);
    },
  };
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

export interface ProbePorts {
  readonly clock: Clock;
  /** The same as requests have: else the probe would speak of another host than they. */
  readonly lookup: LookupFunction;
}

/**
 * The real probe. Deadline 5 s once the name is resolved, which has its own; each of its addresses is tried, as for
 * requests; a certificate that is not trusted is a fault.
 */
export function createProbe({ clock, lookup }: ProbePorts): Probe {
  return async (upstream) => {
    const { address } = upstream;
    if (address.kind === 'self') return null;
    if (address.kind === 'unix') return ask(upstream, { socketPath: address.socketPath }, clock);
    const plain = address.host.replace(/^\[(.*)\]$/, '$1');
    const addresses = await addressesOf(lookup, plain);
    const known: LookupFunction = (_host, _options, callback) => {
      callback(null, addresses);
    };
    return ask(upstream, { host: plain, port: address.port, lookup: known, ...tryEachAddress(DEADLINE_MS) }, clock);
  };
}

type Place = { readonly socketPath: string } | (TcpNetConnectOpts & { readonly host: string });

function ask(upstream: Upstream, place: Place, clock: Clock): Promise<string | null> {
  return new Promise((resolve) => {
    const attempt = upstream.kind === 'prometheus' ? askReady(upstream, place) : connect(place);
    const deadline = clock.after(DEADLINE_MS, () => {
      finish('no answer within 5 s');
    });
    const finish = (fault: string | null): void => {
      deadline.cancel();
      attempt.stop();
      resolve(fault);
    };
    attempt.onResult(finish);
  });
}

interface Attempt {
  onResult(callback: (fault: string | null) => void): void;
  stop(): void;
}

function connect(place: Place): Attempt {
  const socket = 'host' in place ? createConnection(place) : createConnection({ path: place.socketPath });
  return {
    onResult(callback) {
      socket.once('connect', () => {
        callback(null);
      });
      socket.on('error', (error) => {
        callback(causeOf(error));
      });
    },
    stop: () => {
      socket.destroy();
    },
  };
}

/** Where the upstream itself has /-/ready: a prefix that is not stripped is its own `--web.route-prefix`. */
export function readyPath({ basePath, pathPrefix, stripPrefix }: Upstream): string {
  return `${basePath}${stripPrefix || pathPrefix === '/' ? '' : pathPrefix}/-/ready`;
}

function askReady(upstream: Upstream, place: Place): Attempt {
  const { address, authorization, tls } = upstream;
  const secure = address.kind === 'https';
  const hostHeader = address.kind === 'http' || address.kind === 'https' ? new URL(address.origin).host : 'localhost';
  const servername = tls.serverName ?? (address.kind === 'https' && isIP(address.host) === 0 ? address.host : '');
  const options = {
    ...place,
    method: 'GET',
    path: readyPath(upstream),
    agent: false,
    headers: {
      host: hostHeader,
      'user-agent': 'promgate',
      ...(authorization.kind === 'header' ? { authorization: authorization.value } : {}),
    },
  };
  const request = secure
    ? requestHttps({
        ...options,
        servername,
        rejectUnauthorized: true,
        ...(tls.ca === null ? {} : { ca: [...tls.ca] }),
        ...(tls.clientCertificate ?? {}),
      })
    : requestHttp(options);
  return {
    onResult(callback) {
      request.on('response', (response) => {
        const status = response.statusCode ?? 0;
        // 4xx is an answer too: whether it is the right one is for the requests to find out.
        callback(status >= 200 && status < 500 ? null : `status ${String(status)}`);
      });
      request.on('error', (error) => {
        callback(causeOf(error));
      });
      request.end();
    },
    stop: () => {
      request.destroy();
    },
  };
}
