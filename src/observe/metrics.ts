/** The gate's own metrics over prom-client, in a registry of its own. Never throws into the path of a request. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { CONFIG_SOURCES, type Config } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import { DENY_REASON_NAMES, type DenyReason } from '../request/deny-reasons.ts';
import { createAcmeSeries, type AcmeSeries } from './acme-series.ts';
import { createAuthoritySeries, type AuthoritySeries } from './authority-series.ts';
import { describeConfig, identityLabels } from './config-series.ts';
import { LOG_LOSSES, type LogLoss } from './log.ts';
import { METRICS, RUNTIME_METRIC, type MetricRow } from './metric-list.ts';
import { createNamedSeries } from './named-series.ts';
import { createOneLabelHistogram } from './one-label-histogram.ts';
import type { Metrics, SeenUsers } from './ports.ts';
import { createRequestSeries } from './request-series.ts';
import { createScrapeSeries } from './scrape-series.ts';
import { createTallies, type Tally } from './tally.ts';
import type { MetricValues } from './self-federation.ts';
import { createVisitors } from './visitors.ts';

export interface GateMetrics extends Metrics {
  /** What the keeper of the ACME certificates tells. */
  readonly acme: AcmeSeries;
  readonly authority: AuthoritySeries;
  logLineLost(reason: LogLoss): void;
  fileHandlesExhausted(exhausted: boolean): void;
  /** Updates everything that follows from the configuration, and removes the series of what is gone. */
  describe(config: Config): void;
  /** What the last probes said, by upstream; for the status page. */
  upstreamStates(): ReadonlyMap<string, boolean>;
  /** Who was here, and who never. */
  users(): SeenUsers;
  /** The exposition in the text format 0.0.4. Scrapes that come at once share one. */
  expose(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** The same as values. */
  values(): Promise<readonly MetricValues[]>;
}

export interface MetricsOptions {
  readonly clock: Clock;
  /** Of the gate, as in package.json. */
  readonly version: string;
  /** As `process.version` has it. */
  readonly nodeVersion: string;
}

type PasswordOutcome = Parameters<Metrics['passwordChecked']>[0];

const PASSWORD_OUTCOMES: Record<PasswordOutcome, true> = {
  cached: true,
  hashed: true,
  negative_cached: true,
  queue_full: true,
  abandoned: true,
  worker_replaced: true,
};

export function createMetrics({ clock, version, nodeVersion }: MetricsOptions): GateMetrics {
  const registry = new Registry();
  const settings = (row: MetricRow) => ({
    name: row.name,
    help: row.help,
    labelNames: [...row.labels],
    registers: [registry],
  });
  const counter = (row: MetricRow): Counter => new Counter(settings(row));
  const gauge = (row: MetricRow): Gauge => new Gauge(settings(row));
  const histogram = (row: MetricRow & { readonly buckets: readonly number[] }): Histogram =>
    new Histogram({ ...settings(row), buckets: [...row.buckets] });

  const tallies = createTallies();
  const requests = createRequestSeries(
    {
      requests: counter(METRICS.requests),
      duration: createOneLabelHistogram(registry, METRICS.requestDuration),
      bytesIn: counter(METRICS.requestBytes),
      bytesOut: counter(METRICS.responseBytes),
    },
    tallies,
  );
  const scrapes = createScrapeSeries(
    {
      scrapes: counter(METRICS.scrapes),
      samples: counter(METRICS.scrapeSamples),
      bytes: counter(METRICS.scrapeBytes),
      series: gauge(METRICS.scrapeSeries),
      duration: createOneLabelHistogram(registry, METRICS.scrapeDuration),
      firstByte: createOneLabelHistogram(registry, METRICS.scrapeFirstByte),
      lastSeen: gauge(METRICS.identityLastSeen),
    },
    tallies,
  );
  const visitors = createVisitors(clock);
  const requestsInFlight = gauge(METRICS.requestsInFlight);
  let inFlight = 0;

  const refused = counter(METRICS.refused);
  const refusedBy = new Map<DenyReason, Counter.Internal>();
  for (const reason of DENY_REASON_NAMES) {
    refused.inc({ reason }, 0);
    refusedBy.set(reason, refused.labels({ reason }));
  }

  const connections = gauge(METRICS.connections);
  const connectionsOpened = counter(METRICS.connectionsOpened);
  const strangersDeferred = counter(METRICS.strangersDeferred);

  const configInstruments = {
    certificateNotAfter: gauge(METRICS.certificateNotAfter),
    certificateNotBefore: gauge(METRICS.certificateNotBefore),
    clientCaNotAfter: gauge(METRICS.clientCaNotAfter),
    crlNextUpdate: gauge(METRICS.crlNextUpdate),
    configInfo: gauge(METRICS.configInfo),
  };
  const lastReloadSuccessful = gauge(METRICS.lastReloadSuccessful);
  const lastReloadSuccess = gauge(METRICS.lastReloadSuccess);
  const described = new Set<string>();

  const passwordChecks = counter(METRICS.passwordChecks);
  const passwordTallies = new Map<string, Tally>();
  for (const outcome of Object.keys(PASSWORD_OUTCOMES)) {
    passwordTallies.set(outcome, tallies.of(passwordChecks.labels({ outcome })));
  }
  const passwordHashDuration = histogram(METRICS.passwordHashDuration);
  const passwordHashQueue = gauge(METRICS.passwordHashQueue);
  const lockouts = counter(METRICS.lockouts);
  const lockoutsActive = gauge(METRICS.lockoutsActive);

  const upstreamUp = gauge(METRICS.upstreamUp);
  const upstreamRetries = counter(METRICS.upstreamRetries);
  const upstreamBypassable = gauge(METRICS.upstreamBypassable);
  const upstreams = createNamedSeries('upstream', [upstreamUp, upstreamRetries, upstreamBypassable]);
  const states = new Map<string, boolean>();

  const hostNameResolved = gauge(METRICS.hostNameResolved);
  const hostNameFailures = counter(METRICS.hostNameFailures);
  const hosts = createNamedSeries('host', [hostNameResolved, hostNameFailures]);

  const authority = createAuthoritySeries({
    kept: gauge(METRICS.crlKept),
    fetched: gauge(METRICS.crlFetched),
    fetches: counter(METRICS.crlFetches),
    refreshes: counter(METRICS.crlRefreshes),
    renewals: counter(METRICS.ownCertificateRenewals),
    issued: counter(METRICS.certificatesIssued),
    open: gauge(METRICS.enrollmentOpen),
  });
  const acme = createAcmeSeries({
    attempts: counter(METRICS.acmeAttempts),
    nextRenewal: gauge(METRICS.acmeNextRenewal),
    windowStart: gauge(METRICS.acmeWindowStart),
    windowEnd: gauge(METRICS.acmeWindowEnd),
    selfSigned: gauge(METRICS.acmeSelfSigned),
  });

  const logLinesLost = counter(METRICS.logLinesLost);
  for (const reason of LOG_LOSSES) logLinesLost.inc({ reason }, 0);
  const fileHandlesExhausted = gauge(METRICS.fileHandlesExhausted);
  fileHandlesExhausted.set(0);

  gauge(METRICS.buildInfo).set({ version, node_version: nodeVersion }, 1);
  addRuntimeMetrics(registry);

  const reloaded: Metrics['reloaded'] = (source, ok, atSeconds) => {
    described.add(source);
    lastReloadSuccessful.set({ source }, ok ? 1 : 0);
    if (ok) lastReloadSuccess.set({ source }, atSeconds);
  };

  let pending: Promise<string> | null = null;
  /** What is counted beside prom-client, before somebody looks. */
  const handOver = (): void => {
    tallies.flush();
    requestsInFlight.set(inFlight);
    scrapes.tellLastSeen(visitors.lastSeen());
  };

  return {
    acme,
    authority,
    request: (record) => {
      requests.record(record);
    },
    scrape: (observation) => {
      scrapes.record(observation);
    },
    visited: (visit) => {
      visitors.visited(visit);
    },
    inFlight: (delta) => {
      inFlight += delta;
    },
    refused: (reason) => {
      refusedBy.get(reason)?.inc();
    },
    connectionOpened: () => {
      connections.inc();
      connectionsOpened.inc();
    },
    connectionClosed: () => {
      connections.dec();
    },
    strangerDeferred: () => {
      strangersDeferred.inc();
    },
    upstreamUp: (upstream, up) => {
      // Told with every answer of an upstream.
      if (states.get(upstream) === up) return;
      upstreams.tell(upstream, () => {
        upstreamUp.set({ upstream }, up ? 1 : 0);
        states.set(upstream, up);
      });
    },
    upstreamRetried: (upstream) => {
      upstreams.tell(upstream, () => {
        upstreamRetries.inc({ upstream });
      });
    },
    upstreamBypassable: (upstream, bypassable) => {
      upstreams.tell(upstream, () => {
        upstreamBypassable.set({ upstream }, bypassable ? 1 : 0);
      });
    },
    reloaded,
    passwordChecked: (outcome) => {
      passwordTallies.get(outcome)?.add(1);
    },
    passwordHashed: (seconds) => {
      if (Number.isFinite(seconds)) passwordHashDuration.observe(seconds);
    },
    hashQueue: (length) => {
      passwordHashQueue.set(length);
    },
    lockedOut: () => {
      lockouts.inc();
    },
    lockoutsActive: (count) => {
      lockoutsActive.set(count);
    },
    hostNameResolved: (host, ok) => {
      hosts.tell(host, () => {
        hostNameResolved.set({ host }, ok ? 1 : 0);
        hostNameFailures.inc({ host }, ok ? 0 : 1);
      });
    },
    logLineLost: (reason) => {
      logLinesLost.inc({ reason });
    },
    fileHandlesExhausted: (exhausted) => {
      fileHandlesExhausted.set(exhausted ? 1 : 0);
    },
    describe(config) {
      acme.describe(config);
      authority.describe(config);
      describeConfig(config, configInstruments);
      const names = new Set(config.upstreams.map((upstream) => upstream.name));
      const identities = identityLabels(config);
      requests.keep(names, identities);
      scrapes.keep(names, identities);
      visitors.keep(config);
      upstreams.keep(names);
      hosts.keep(new Set(config.access.allowHosts));
      for (const name of states.keys()) if (!names.has(name)) states.delete(name);
      for (const upstream of names) {
        upstreams.tell(upstream, () => {
          upstreamRetries.inc({ upstream }, 0);
        });
      }
      // The first configuration came to run without a reload: alerts need the series from the start.
      for (const source of CONFIG_SOURCES) if (!described.has(source)) reloaded(source, true, clock.now() / 1000);
    },
    upstreamStates: () => states,
    users: () => ({ sinceMs: visitors.since, users: visitors.list() }),
    async expose() {
      handOver();
      pending ??= registry.metrics().finally(() => {
        pending = null;
      });
      return { contentType: registry.contentType, body: await pending };
    },
    // prom-client's type leaves out the values.
    values: async () => {
      handOver();
      return await registry.getMetricsAsJSON();
    },
  };
}

/** prom-client has no choice of default metrics: they are made in a registry beside, and the well-named ones taken. */
function addRuntimeMetrics(registry: Registry): void {
  const beside = new Registry();
  collectDefaultMetrics({ register: beside });
  for (const metric of beside.getMetricsAsArray()) {
    if (RUNTIME_METRIC.test(metric.name)) registry.registerMetric(metric as unknown as Counter);
  }
}
