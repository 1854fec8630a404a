/** What `run` says of itself, in its log and to whoever asks for a reload. Decides nothing. */
import { networkInterfaces } from 'node:os';
import type { Config } from '../config/config.ts';
import type { ReloadResult } from '../config/reloader.ts';
import { systemClock } from '../lib/clock.ts';
import type { BoundAddress } from '../listen/ports.ts';
import type { ReloadReport } from '../observe/admin.ts';
import type { Log } from '../observe/ports.ts';
import { probePrometheus } from './prometheus-probe.ts';
import { addressWarnings, certificateWarnings, selfUpstreamHint } from './start-hints.ts';

/** Releases whose security support has ended, by major version. */
const NODE_END_OF_LIFE: Readonly<Record<number, string>> = { 20: '2026-04-30', 21: '2024-06-01', 23: '2025-06-01' };

export function warnOfNode(major: number, log: Log): void {
  const endOfLife = NODE_END_OF_LIFE[major];
  if (endOfLife === undefined) return;
  log.warn({ node: process.version, endOfLife }, 'this Node.js gets no security fixes any more; run on Node.js 24');
}

export function printAddress({ host, port }: BoundAddress): string {
  if (port === 0) return host;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function reportReload({ ok, problems, restartNeeded }: ReloadResult): ReloadReport {
  const restart = restartNeeded.length === 0 ? '' : `in force only after a restart: ${restartNeeded.join(', ')}`;
  return { ok, report: [problems, restart].filter((part) => part !== '').join('\n') };
}

export function warnOfCertificates(config: Config, log: Log): void {
  for (const warning of certificateWarnings(config, systemClock.now())) log.warn({}, warning);
}

export async function sayHints(config: Config, log: Log): Promise<void> {
  for (const warning of addressWarnings(config, networkInterfaces())) log.warn({}, warning);
  const hint = await selfUpstreamHint(config, (origin) => probePrometheus(systemClock, origin));
  if (hint !== null) log.warn({}, hint);
}
