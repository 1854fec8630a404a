/**
 * Fetches revocation lists from the gate that has the CA, as the configuration says, and puts what is newer in the place
 * of the file: the watch on it takes it into force. What cannot be fetched or is no better changes nothing.
 */
import type { CrlFetch } from '../../config/config.ts';
import { parseCrls } from '../../formats/crl.ts';
import type { Crl } from '../../formats/crl.ts';
import { parseCertificates } from '../../formats/x509.ts';
import type { CertificateInfo } from '../../formats/x509.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { createFile, replaceFile } from '../../lib/private-file.ts';
import { readIfThere } from './authority-directory.ts';
import { judgeFetched } from './fetched-list.ts';
import type { KeeperLog } from './hourly-care.ts';
import type { Download } from './list-download.ts';
import { oneAtATime } from './one-at-a-time.ts';

export interface ListFetcherMetrics {
  /** @param seconds Unix time of the last success; 0: there was none yet. */
  crlFetched(file: string, seconds: number): void;
  crlFetch(ok: boolean): void;
}

export interface FetchTrust {
  /** PEM of the client CAs. */
  readonly ca: readonly string[];
  /** The lists in force. */
  readonly crls: readonly Crl[];
}

export interface ListFetcher {
  /** What is fetched from now on; the first time at once. */
  follow(fetches: readonly CrlFetch[], trust: FetchTrust): void;
  close(): void;
}

interface Task {
  readonly key: string;
  readonly look: () => Promise<void>;
  readonly timer: Timer;
}

export interface ListFetcherPorts {
  readonly clock: Clock;
  readonly log: KeeperLog;
  readonly metrics: ListFetcherMetrics;
  readonly download: Download;
}

/**
 * Fetches one list now.
 * @returns whether the file has changed.
 * @throws {Error} in words for a log; the file is as it was.
 */
export async function fetchList(
  { url, file, ca }: CrlFetch,
  trust: FetchTrust,
  { clock, download }: Pick<ListFetcherPorts, 'clock' | 'download'>,
): Promise<boolean> {
  const text = await download({ url, ca });
  const there = await readIfThere(file);
  const kept = there === null ? null : parseCrls(there);
  const lists = kept?.ok === true ? kept.value : [];
  const issuers = trust.ca.flatMap((pem): readonly CertificateInfo[] => {
    const certificates = parseCertificates(pem);
    return certificates.ok ? certificates.value : [];
  });
  const judged = judgeFetched(text, { issuers, known: [...trust.crls, ...lists], kept: lists, now: clock.now() });
  if (!judged.ok) throw new Error(judged.message);
  if (there !== null && judged.value === lists.map(({ pem }) => pem).join('')) return false;
  if (there === null) await createFile(file, judged.value, 0o644);
  else await replaceFile(file, judged.value);
  return true;
}

export function createListFetcher(ports: ListFetcherPorts): ListFetcher {
  const { clock, log, metrics } = ports;
  let tasks: readonly Task[] = [];
  let trust: FetchTrust = { ca: [], crls: [] };
  const said = new Map<string, string>();

  const begin = (fetch: CrlFetch, key: string): Task => {
    const { url, file } = fetch;
    const work = async (): Promise<void> => {
      try {
        const hasChanged = await fetchList(fetch, trust, ports);
        metrics.crlFetch(true);
        metrics.crlFetched(file, clock.now() / 1000);
        if (hasChanged) log.info({ file, url }, 'fetched a newer revocation list');
        else if (said.has(file)) log.info({ file, url }, 'the revocation list can be fetched again');
        said.delete(file);
      } catch (error) {
        metrics.crlFetch(false);
        const reason = error instanceof Error ? error.message : 'unknown reason';
        if (said.get(file) === reason) return;
        said.set(file, reason);
        log.error({ file, url, reason }, 'a revocation list was not fetched, the last good one stays');
      }
    };
    const look = oneAtATime(work);
    return { key, look, timer: clock.every(fetch.intervalMs, () => void look()) };
  };

  return {
    follow(fetches, next) {
      trust = next;
      const before = tasks;
      tasks = fetches.map((fetch) => {
        const key = JSON.stringify(fetch);
        const known = before.find((task) => task.key === key);
        if (known !== undefined) return known;
        metrics.crlFetched(fetch.file, 0);
        const task = begin(fetch, key);
        void task.look();
        return task;
      });
      for (const task of before) if (!tasks.includes(task)) task.timer.cancel();
    },
    close() {
      for (const { timer } of tasks) timer.cancel();
      tasks = [];
    },
  };
}
