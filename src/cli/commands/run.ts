/**
 * `promgate run`: the composition root. The only place that wires objects together; what outlives a reload is made
 * here, once, and handed in.
 */
import type { Config } from '../../config/config.ts';
import { renderProblems } from '../../config/explain.ts';
import { loadConfig } from '../../config/load.ts';
import type { Loaded, LoadOptions } from '../../config/load.ts';
import { createReloader } from '../../config/reloader.ts';
import { FIRST_NODE_WITH_MIXED_KEYS } from '../../config/tls-names.ts';
import { systemClock } from '../../lib/clock.ts';
import { createLookup } from '../../lib/lookup.ts';
import { createListener } from '../../listen/listener.ts';
import { addressPath } from '../../formats/address.ts';
import { createAdmin } from '../../observe/admin.ts';
import { watchBypass } from '../../observe/bypass.ts';
import { createClientCaUsage } from '../../observe/client-ca-usage.ts';
import { createLog } from '../../observe/log.ts';
import type { LogFormat, LogLevel } from '../../observe/log.ts';
import { watchFileHandles } from '../../observe/file-handles.ts';
import { createMetrics } from '../../observe/metrics.ts';
import type { GateMetrics } from '../../observe/metrics.ts';
import type { Log } from '../../observe/ports.ts';
import { createSelfUpstream } from '../../observe/self.ts';
import { createProbe, watchUpstreams } from '../../observe/upstream-up.ts';
import { mayConnect } from '../../request/accept/addresses.ts';
import { createHostNames } from '../../request/accept/host-names.ts';
import { createAppSwitch } from '../../request/app-switch.ts';
import { connectionVerdict } from '../../request/authenticate/client-certificate.ts';
import { createPasswordCheck } from '../../request/authenticate/password-check.ts';
import { createUpstreamPools } from '../../request/forward/pools.ts';
import { createScrapes } from '../../request/forward/scrape/scrapes.ts';
import { rawRefusal } from '../../request/respond/refusal.ts';
import { createCrlKeeper, renewExpired } from '../../tls/authority/crl-keeper.ts';
import { createEnroller } from '../../tls/authority/enroller.ts';
import { createDownload } from '../../tls/authority/list-download.ts';
import { createListFetcher } from '../../tls/authority/list-fetcher.ts';
import { createRenewer } from '../../tls/authority/renewer.ts';
import { secureContextOptions } from '../../tls/secure-context.ts';
import { fetchMissingLists } from '../missing-lists.ts';
import { createAcmeOverlay } from '../acme/overlay.ts';
import { acmeDigest } from '../acme/settings-digest.ts';
import { createRenewalJob } from '../acme/renewal-job.ts';
import { takeInheritedSockets } from '../inherited-sockets.ts';
import { processUser } from '../process-user.ts';
import { reportCertificates } from '../certificate-report.ts';
import { resolveAsThisHost } from '../name-resolution.ts';
import { watchSignals } from '../signals.ts';
import { printAddress, reportReload, sayHints, warnOfCertificates, warnOfNode } from '../run-words.ts';
import { logProblems, runLogged } from '../json-output.ts';
import type { Terminal } from '../terminal.ts';
import { VERSION } from '../version.ts';

export interface RunOptions {
  readonly configFile: string;
  /** Replace `listen_addresses` when there are any. */
  readonly listenAddresses: readonly string[];
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

const DAY_MS = 86_400_000;

/**
 * Serves until SIGTERM or SIGINT.
 * @returns the exit code: 0 after an orderly end, 1 when the configuration has errors.
 * @throws PromgateError when an address cannot be listened on.
 */
export async function runCommand(options: RunOptions, terminal: Terminal): Promise<number> {
  const nodeMajor = Number.parseInt(process.versions.node, 10);
  const { configFile, listenAddresses } = options;
  const loadOptions = { listenAddresses, nodeMajor, reader: processUser() };
  const metrics = createMetrics({ clock: systemClock, version: VERSION, nodeVersion: process.version });
  const log = createLog({
    level: options.logLevel,
    format: options.logFormat,
    destination: process.stderr,
    onLost: (reason) => {
      metrics.logLineLost(reason);
    },
  });
  const isJson = options.logFormat === 'json';
  const run = async (): Promise<number> => {
    await fetchMissingLists(configFile, { clock: systemClock, log });
    let first = await loadConfig(configFile, { generation: 1, ...loadOptions });
    if (first.ok && (await renewExpired(first.config, { clock: systemClock, log }))) {
      first = await loadConfig(configFile, { generation: 1, ...loadOptions });
    }
    if (isJson) logProblems(first, configFile, log);
    else if (first.problems.length > 0) terminal.err(renderProblems(first.problems, configFile, first.text));
    if (!first.ok) return 1;
    warnOfNode(nodeMajor, log);
    return serve(first.loaded, loadOptions, { log, metrics });
  };
  return isJson ? runLogged(log, run) : run();
}

async function serve(
  first: Loaded,
  loadOptions: Pick<LoadOptions, 'listenAddresses' | 'reader'> & { readonly nodeMajor: number },
  { log, metrics }: { readonly log: Log; readonly metrics: GateMetrics },
): Promise<number> {
  const clock = systemClock;
  let config: Config = first.config;
  let listening = false;
  let draining = false;

  const resolveHost = resolveAsThisHost();
  const lookup = createLookup({ resolveHost });
  const hosts = createHostNames({
    resolve: resolveHost,
    clock,
    log,
    metrics,
    onChange: () => {
      if (listening) listener.apply(config);
    },
  });
  const passwordCheck = createPasswordCheck({ log, metrics, clock });
  const pools = createUpstreamPools({ metrics, clock, lookup });
  const clientCaUsage = createClientCaUsage(clock);
  const enroller = createEnroller({
    clock,
    log,
    metrics: metrics.authority,
    onChange: () => {
      if (listening) listener.apply(config);
    },
  });
  const scrapes = createScrapes({ clock });
  const apps = createAppSwitch({
    clock,
    log,
    metrics,
    hosts,
    passwordCheck,
    enrollment: enroller,
    pools,
    scrapes,
    self: createSelfUpstream(metrics, clock),
  });
  const listener = createListener({
    inherited: takeInheritedSockets(process.env, process.pid),
    log,
    metrics,
    clock,
    mayConnect: (address) => (mayConnect(address, config.access, hosts) ? null : 'address_denied'),
    judge: (facts) => {
      const reason = connectionVerdict(facts, config, clock.now(), enroller.isOpen());
      if (reason === null) clientCaUsage.saw(facts);
      return reason;
    },
    handle: apps.handle,
    secureContextOptions,
    rawRefusal: (reason) => rawRefusal(config, reason),
    challenge: () => acme.current()?.tlsAlpn ?? null,
  });

  /** Takes a configuration into force, the first and every later one; throws when the old one must go on. */
  const putToWork = async (next: Config): Promise<void> => {
    await hosts.follow(next.access.allowHosts);
    const app = await apps.prepare(next);
    const before = config;
    config = next;
    clientCaUsage.follow(next);
    try {
      if (listening) listener.apply(next);
    } catch (error) {
      config = before;
      clientCaUsage.follow(before);
      await app.discard();
      throw error;
    }
    app.takeOver();
    passwordCheck.applied(next);
    metrics.describe(next);
    admin.apply(next);
    crlKeeper.follow(next.files);
    listFetcher.follow(next.crl.fetch, next.tls?.trust ?? { ca: [], crls: [] });
    enroller.follow(next.enrollment);
    // What comes from a CA by ACME is renewed there.
    renewer.follow(next.acme === null ? (next.tls?.certificates ?? []) : []);
    if (!listening) return;
    upstreamWatch.apply(next.upstreams);
    bypassWatch.apply(next.upstreams);
  };
  const crlKeeper = createCrlKeeper({ clock, log, metrics: metrics.authority });
  const listFetcher = createListFetcher({
    clock,
    log,
    metrics: metrics.authority,
    download: createDownload(clock),
  });
  const renewer = createRenewer({ clock, log, metrics: metrics.authority });
  const acme = createAcmeOverlay({
    clock,
    log,
    metrics: metrics.acme,
    mixesKeyTypes: loadOptions.nodeMajor >= FIRST_NODE_WITH_MIXED_KEYS,
    apply: putToWork,
  });
  const renewal = createRenewalJob(acme, clock);

  const admin = createAdmin({
    netsOf: addressPath,
    config,
    version: VERSION,
    metrics,
    log,
    clock,
    ready: () => {
      const reasons = [...(listening ? [] : ['not listening yet']), ...(draining ? ['shutting down'] : [])];
      return { ready: reasons.length === 0, reasons, worries: [...crlKeeper.worries(), ...renewer.worries()] };
    },
    reload: async () => reportReload(await reloader.reload('the admin address')),
    lockouts: () => passwordCheck.lockouts(),
    clearLockout: (address) => passwordCheck.clearLockout(address),
    clientCas: () => clientCaUsage.report(),
    certificates: () => reportCertificates(config, acme.current()?.manager.status() ?? [], clock.now()),
    acmeDigest: () => acmeDigest(config.acme),
    renewCertificates: (name, isRehearsal) => renewal.start(name, isRehearsal),
    renewal: () => renewal.progress(),
  });
  const upstreamWatch = watchUpstreams({
    upstreams: config.upstreams,
    clock,
    log,
    metrics,
    probe: createProbe({ clock, lookup }),
  });
  const bypassWatch = watchBypass({ upstreams: config.upstreams, clock, log, metrics, lookup });
  const fileHandles = watchFileHandles({ clock, log, metrics });

  const reloader = createReloader({
    initial: first,
    options: loadOptions,
    apply: (next) => acme.apply(next),
    metrics,
    log,
    clock,
  });
  const warnings = clock.every(DAY_MS, () => {
    warnOfCertificates(config, log);
  });
  const signals = watchSignals(clock, {
    onHangup: () => void reloader.reload('SIGHUP'),
    onDebugRequest: () => {
      log.warn({ signal: 'SIGUSR1' }, 'the debugger stays closed');
    },
  });
  try {
    await acme.apply(first.config);
    await listener.listen(config);
    listening = true;
    await admin.listen();
    acme.start();
    log.info(
      {
        version: VERSION,
        listen: listener.addresses().map(printAddress).join(', '),
        config: config.file,
        hash: config.hash,
      },
      'serving',
    );
    await sayHints(config, log);

    const signal = await signals.ended;
    draining = true;
    log.info({ signal, drainTimeoutMs: config.drainTimeoutMs }, 'shutting down');
    await new Promise<void>((resolve) => {
      clock.after(config.shutdownDelayMs, resolve, { ref: true });
    });
    await listener.drain(config.drainTimeoutMs);
    log.info({}, 'ended');
    return 0;
  } finally {
    // Also when an address is taken: nothing may keep the process alive.
    warnings.cancel();
    reloader.close();
    crlKeeper.close();
    listFetcher.close();
    enroller.close();
    renewer.close();
    await acme.close();
    upstreamWatch.close();
    bypassWatch.close();
    fileHandles.close();
    hosts.close();
    await listener.close();
    await apps.close();
    scrapes.close();
    await pools.close();
    await passwordCheck.close();
    await admin.close();
    signals.close();
  }
}
