/** What the admin listener answers, by path and method. A closed table; who may ask was judged before (admin-guard.ts). */
import type { Config } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import { createCertificateRoutes, type CertificatePorts } from './certificate-routes.ts';
import type { ClientCaReport } from './client-ca-usage.ts';
import { renderExposition } from './exposition.ts';
import type { GateMetrics } from './metrics.ts';
import type { ActiveLockout, Log } from './ports.ts';
import { renderStatusPage } from './status-page.ts';

export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words for a person; empty when ready. */
  readonly reasons: readonly string[];
  /** What will end the service some day unless somebody acts, one sentence each. */
  readonly worries?: readonly string[];
}

export interface ReloadReport {
  /** False: the old state was kept. */
  readonly ok: boolean;
  /** Text for a terminal, with every problem; may be empty when there is none. */
  readonly report: string;
}

export interface AdminPorts extends Partial<CertificatePorts> {
  readonly version: string;
  readonly metrics: Pick<GateMetrics, 'expose' | 'upstreamStates' | 'users'>;
  readonly log: Log;
  readonly clock: Clock;
  ready(): Readiness;
  reload(): Promise<ReloadReport>;
  lockouts(): readonly ActiveLockout[];
  /** Lifts every lockout of an address. @returns how many there were. */
  clearLockout(address: string): number;
  /** Absent: the gate does not tell. */
  clientCas?(): readonly ClientCaReport[];
}

export interface AdminReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

export interface RoutedQuestion {
  readonly query: URLSearchParams;
  readonly acceptEncoding: string | undefined;
}

/** A flood from many addresses must not make an answer that nobody can read. */
const MOST_LOCKOUTS = 1000;
/** Of a file with more users than `promgate users` would take. */
const MOST_USERS = 5000;

type Handler = (question: RoutedQuestion) => AdminReply | Promise<AdminReply>;
export type AdminRoutes = Readonly<Record<string, Readonly<Partial<Record<'GET' | 'POST', Handler>>>>>;

export function textReply(status: number, text: string, headers: Record<string, string> = {}): AdminReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: `${text.trimEnd()}\n` };
}

function jsonReply(status: number, value: unknown): AdminReply {
  return { status, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(value)}\n` };
}

/** @param current the configuration that runs now. */
export function createAdminRoutes(ports: AdminPorts, current: () => Config): AdminRoutes {
  const { version, metrics, log, clock } = ports;
  let reloading = false;

  const reload = async (): Promise<AdminReply> => {
    if (reloading) return textReply(409, 'a reload is running; try again', { 'retry-after': '1' });
    reloading = true;
    try {
      const { ok, report } = await ports.reload();
      return textReply(ok ? 200 : 400, report === '' ? (ok ? 'reloaded' : 'the old state was kept') : report);
    } finally {
      reloading = false;
    }
  };

  const clear: Handler = ({ query }) => {
    const address = query.get('address') ?? '';
    if (!/^[0-9A-Fa-f:.]{2,45}(?:\/\d{1,3})?$/.test(address)) {
      return textReply(400, 'expected ?address= with an IP address, as GET /api/lockouts lists it');
    }
    const cleared = ports.clearLockout(address);
    log.info({ address, cleared }, 'lockouts cleared');
    return jsonReply(200, { cleared });
  };

  return {
    '/': {
      GET: () => ({
        status: 200,
        headers: { 'content-type': 'text/html; charset=utf-8' },
        body: renderStatusPage({
          version,
          config: current(),
          now: clock.now(),
          ready: ports.ready(),
          upstreams: metrics.upstreamStates(),
          lockouts: ports.lockouts(),
        }),
      }),
    },
    '/metrics': {
      GET: async ({ acceptEncoding }) => ({ status: 200, ...(await renderExposition(metrics, acceptEncoding)) }),
    },
    '/-/healthy': { GET: () => textReply(200, 'promgate is healthy') },
    '/-/ready': {
      GET: () => {
        const { ready, reasons, worries = [] } = ports.ready();
        const lines = ['promgate is ready', ...worries.map((worry) => `warning: ${worry}`)];
        return ready ? textReply(200, lines.join('\n')) : textReply(503, `not ready: ${reasons.join('; ')}`);
      },
    },
    '/-/reload': { POST: reload },
    '/api/lockouts': {
      GET: () => {
        const all = ports.lockouts();
        return jsonReply(200, { total: all.length, lockouts: all.slice(0, MOST_LOCKOUTS) });
      },
    },
    '/api/lockouts/clear': { POST: clear },
    '/api/client-cas': { GET: () => jsonReply(200, { client_cas: ports.clientCas?.() ?? [] }) },
    '/api/users': {
      GET: () => {
        const { sinceMs, users } = metrics.users();
        return jsonReply(200, { sinceMs, total: users.length, users: users.slice(0, MOST_USERS) });
      },
    },
    ...certificateRoutes(ports),
  };
}

function certificateRoutes(ports: AdminPorts): AdminRoutes {
  const { log, certificates, acmeDigest, renewCertificates, renewal } = ports;
  if (certificates === undefined || renewCertificates === undefined || renewal === undefined) return {};
  const digest = acmeDigest ?? (() => null);
  return createCertificateRoutes({ certificates, acmeDigest: digest, renewCertificates, renewal }, log, jsonReply);
}
