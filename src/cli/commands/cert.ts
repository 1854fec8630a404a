/** `promgate cert status` and `promgate cert renew`: of the running gate, or of its files when none answers. */
import type { Config } from '../../config/config.ts';
import { renderProblems } from '../../config/explain.ts';
import { loadConfig } from '../../config/load.ts';
import { systemClock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { escapeNonPrintable } from '../../lib/foreign-text.ts';
import type { CertificateReport, RenewalProgress } from '../../observe/certificate-routes.ts';
import type { AcmeMetrics, Log } from '../../tls/acme/contract.ts';
import { readKeptStatus } from '../acme/kept-status.ts';
import { createProgressLine } from '../acme/progress-line.ts';
import { hintOf } from '../acme/renewal-job.ts';
import { createAcmeService } from '../acme/service.ts';
import { acmeDigestOf } from '../acme/settings-digest.ts';
import { readAdminAddress } from '../admin-address.ts';
import { askAdmin, type AdminAnswer } from '../admin-client.ts';
import { reportCertificates } from '../certificate-report.ts';
import { certificateTable } from '../certificate-table.ts';
import { printError, type Terminal } from '../terminal.ts';

export interface StatusOptions {
  readonly configFile: string;
  readonly output: 'table' | 'json';
}

export interface RenewOptions {
  readonly configFile: string;
  /** null: every certificate. */
  readonly name: string | null;
  readonly isRehearsal: boolean;
}

const TIMEOUT_MS = 5000;
const POLL_MS = 250;
/** An order has ten minutes, and there may be several. */
const LONGEST_RENEWAL_MS = 3_600_000;

/** @returns 0, or 1 when something is close to its end or beyond it. @throws PromgateError */
export async function certStatusCommand({ configFile, output }: StatusOptions, terminal: Terminal): Promise<number> {
  const now = systemClock.now();
  const asked = await whenRunning(configFile, { method: 'GET', path: '/api/certificates' });
  const reports =
    asked === null
      ? await reportFiles(configFile, terminal)
      : (JSON.parse(okay(asked).body) as { certificates: readonly CertificateReport[] }).certificates;
  if (output === 'json') {
    terminal.out(JSON.stringify({ running: asked !== null, certificates: reports.map(asJson) }, null, 2));
  } else {
    if (asked === null) terminal.err('promgate: the gate is not running; this is what its files say');
    terminal.out(reports.length === 0 ? 'no certificate is in use' : certificateTable(reports, now));
  }
  return reports.some(({ state }) => state !== 'ok') ? 1 : 0;
}

/** @returns 0, or 1 when it failed. @throws PromgateError */
export async function certRenewCommand(options: RenewOptions, terminal: Terminal): Promise<number> {
  const { configFile, name, isRehearsal } = options;
  const query = new URLSearchParams({
    ...(name === null ? {} : { name }),
    ...(isRehearsal ? { dry_run: 'true' } : {}),
  });
  const path = `/api/certificates/renew?${query.toString()}`;
  const gate = await gateOf(configFile, isRehearsal);
  if (gate !== 'same') return renewFiles(options, gate === 'other', terminal);
  const asked = await whenRunning(configFile, { method: 'POST', path });
  if (asked === null) return renewFiles(options, false, terminal);
  if (asked.status === 409 || asked.status === 400) {
    const { error } = JSON.parse(asked.body) as { error: string };
    printError(terminal, escapeNonPrintable(error));
    return 1;
  }
  let progress = JSON.parse(okay(asked, 202).body) as RenewalProgress;
  let shown = 0;
  const line = createProgressLine(terminal);
  const until = systemClock.monotonic() + LONGEST_RENEWAL_MS;
  try {
    for (;;) {
      for (const { step, detail } of progress.steps.slice(shown)) line.step(step, detail);
      shown = Math.max(shown, progress.steps.length);
      if (!progress.running) break;
      if (systemClock.monotonic() > until) throw new PromgateError('ADMIN_UNREACHABLE', 'the renewal does not end');
      await new Promise<void>((resolve) => systemClock.after(POLL_MS, resolve, { ref: true }));
      const address = await readAdminAddress(configFile);
      const call = { method: 'GET', path: '/api/certificates/renew', timeoutMs: TIMEOUT_MS } as const;
      progress = JSON.parse(okay(await askAdmin(address, call)).body) as RenewalProgress;
    }
  } finally {
    line.end();
  }
  if (progress.error === null) return 0;
  printError(terminal, escapeNonPrintable(progress.error), progress.hint ?? undefined);
  return 1;
}

/**
 * Who answers at the admin address of a file: a gate with the certificates of this file, one with others (another file,
 * or not reloaded yet), or none. What is tried is what the named file says, whoever runs.
 */
async function gateOf(configFile: string, isRehearsal: boolean): Promise<'same' | 'other' | 'none'> {
  const asked = await whenRunning(configFile, { method: 'GET', path: '/api/certificates' });
  if (asked === null) return 'none';
  const { acme: running } = JSON.parse(okay(asked).body) as { acme?: string | null };
  const named = await acmeDigestOf(configFile);
  // A file with errors can still renew what its gate runs with, but not be tried.
  if (named === undefined) return isRehearsal ? 'other' : 'same';
  return running === named ? 'same' : 'other';
}

/** null: no gate answers at its admin address, or it has none. */
async function whenRunning(
  configFile: string,
  call: { readonly method: 'GET' | 'POST'; readonly path: string },
): Promise<AdminAnswer | null> {
  try {
    return await askAdmin(await readAdminAddress(configFile), { ...call, timeoutMs: TIMEOUT_MS });
  } catch (error) {
    if (error instanceof PromgateError && error.code === 'ADMIN_UNREACHABLE') return null;
    throw error;
  }
}

function okay(answer: AdminAnswer, status = 200): AdminAnswer {
  if (answer.status === status) return answer;
  const words = escapeNonPrintable(answer.body.trimEnd());
  throw new PromgateError('ADMIN_UNREACHABLE', `the gate answered ${String(answer.status)}: ${words}`);
}

async function load(configFile: string, terminal: Terminal): Promise<Config> {
  const nodeMajor = Number.parseInt(process.versions.node, 10);
  const result = await loadConfig(configFile, { generation: 1, nodeMajor });
  if (result.ok) return result.config;
  terminal.err(renderProblems(result.problems, configFile, result.text));
  throw new PromgateError('CONFIG_INVALID', `${configFile} has errors`, { hint: 'correct the problems above' });
}

async function reportFiles(configFile: string, terminal: Terminal): Promise<readonly CertificateReport[]> {
  const config = await load(configFile, terminal);
  const kept = config.acme === null ? [] : await readKeptStatus(config.acme, systemClock, terminalLog(terminal));
  return reportCertificates(config, kept, systemClock.now());
}

/** @param isBesideGate a gate runs that does not have these certificates. */
async function renewFiles(
  { configFile, name, isRehearsal }: RenewOptions,
  isBesideGate: boolean,
  terminal: Terminal,
): Promise<number> {
  const { acme } = await load(configFile, terminal);
  if (acme === null) {
    printError(terminal, 'the configuration has no acme section: its certificates come from files');
    return 1;
  }
  if (acme.challenge.kind === 'tls-alpn-01') {
    const [who, hint] = isBesideGate
      ? [
          'the one that runs does not have this acme section',
          'promgate reload, or try it with http-01 or dns-01 before',
        ]
      : ['none answers', 'start it with promgate run'];
    printError(terminal, `tls-alpn-01 is answered by the running gate, and ${who}`, hint);
    return 1;
  }
  if (isBesideGate) {
    terminal.err(`promgate: the running gate has other certificates; this is done with those of ${configFile}`);
  }
  const log = terminalLog(terminal);
  const service = await createAcmeService(acme, {
    clock: systemClock,
    log,
    metrics: NO_METRICS,
    onChange: () => undefined,
  });
  const line = createProgressLine(terminal);
  const tell = (step: string, detail: string): void => {
    line.step(step, detail);
  };
  try {
    await (isRehearsal ? service.rehearse(name, tell) : service.renew(name, tell)).finally(() => {
      line.end();
    });
    return 0;
  } catch (error) {
    if (error instanceof PromgateError) throw error;
    const text = escapeNonPrintable(error instanceof Error ? error.message : 'unknown error');
    printError(terminal, text, hintOf(error) ?? undefined);
    return 1;
  } finally {
    await service.close();
  }
}

/** What is worth a line beside the steps; the rest is told by the result. */
function terminalLog(terminal: Terminal): Log {
  const quiet = (): void => undefined;
  const say = (fields: object, message: string): void => {
    const details = Object.entries(fields).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    terminal.err(`promgate: ${[message, ...details].join(' ')}`);
  };
  return { debug: quiet, info: quiet, warn: say, error: say };
}

const NO_METRICS: AcmeMetrics = {
  attempt: () => undefined,
  nextRenewal: () => undefined,
  ariWindow: () => undefined,
  selfSigned: () => undefined,
};

function asJson({ notBefore, notAfter, issued, lastError, next, ...rest }: CertificateReport): object {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    ...rest,
    not_before: iso(notBefore),
    not_after: notAfter === null ? null : iso(notAfter),
    days_left: notAfter === null ? null : Math.floor((notAfter - systemClock.now()) / 86_400_000),
    issued: issued === null ? null : { at: iso(issued.at), why: issued.why },
    next: next === null ? null : { at: iso(next.at), why: next.why },
    last_error: lastError === null ? null : { ...lastError, at: iso(lastError.at) },
  };
}
