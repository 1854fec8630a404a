/**
 * A figure without its load says nothing. What the load has done is counted where it is made and where it arrives; a row in
 * which the two do not agree, or in which nothing arrived, has failed.
 */
import type { Finished } from '../test/support/processes.ts';

/** The load was not what the row says. The row is printed as failed, and the bench ends with code 1. */
export class LoadFailed extends Error {
  override readonly name = 'LoadFailed';
}

export interface Slack {
  /** Of the larger one. */
  readonly share?: number;
  /** What is under way when one of the two counts. */
  readonly count?: number;
}

/** @throws LoadFailed when two counts of the same thing are further apart than what is under way. */
export function agree(what: string, atLoad: number, atServer: number, slack: Slack = {}): void {
  const { share = 0.02, count = 32 } = slack;
  if (Math.abs(atLoad - atServer) <= Math.max(count, share * Math.max(atLoad, atServer))) return;
  throw new LoadFailed(`${what}: ${atLoad} at the load, ${atServer} at the server`);
}

/** @throws LoadFailed when there was less than what makes it a load at all. */
export function atLeastAsMuch(what: string, count: number, least: number): void {
  if (count >= least) return;
  throw new LoadFailed(`${what}: ${count}, which is less than ${Math.round(least)}`);
}

/** @throws LoadFailed when there was more than the load was made for. */
export function atMost(what: string, count: number, most: number): void {
  if (count <= most) return;
  throw new LoadFailed(`${what}: ${count}, which is more than ${Math.round(most)}`);
}

/** @throws LoadFailed when a server that must suffer from this load does not: then there is none. */
export function suffers(name: string, quietMs: number, loadedMs: number, factor: number): void {
  if (loadedMs >= factor * quietMs) return;
  throw new LoadFailed(
    `${name} must suffer from this load, ${factor} times its quiet p99 at least, and does not: ` +
      `${quietMs.toFixed(1)} ms quiet, ${loadedMs.toFixed(1)} ms under load`,
  );
}

/** @throws LoadFailed with what it printed when a load tool has not ended by itself and well. */
export function endedWell(tool: string, { code, signal, stdout, stderr }: Finished): void {
  if (code === 0) return;
  const how = code === null ? `was ended by ${signal ?? 'a signal'}` : `ended with code ${code}`;
  throw new LoadFailed(`${tool} ${how}\n${(stdout + stderr).trim().slice(-2000)}`);
}

/** HTTP status → answers. */
export type Statuses = Readonly<Record<string, number>>;

/** What has come since an earlier count. */
export function since(before: Statuses, after: Statuses): Statuses {
  return Object.fromEntries(
    Object.entries(after)
      .map(([status, count]) => [status, count - (before[status] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
}

export function total(statuses: Statuses): number {
  return Object.values(statuses).reduce((sum, count) => sum + count, 0);
}

/** Those of the guesses: everything that is no success. */
export function refused(statuses: Statuses): Statuses {
  return Object.fromEntries(Object.entries(statuses).filter(([status]) => !/^[123]/.test(status)));
}

/** `401: 1200, 429: 30` */
export function shownStatuses(statuses: Statuses): string {
  const entries = Object.entries(statuses).map(([status, count]) => `${status}: ${count}`);
  return entries.length === 0 ? 'none' : entries.join(', ');
}
