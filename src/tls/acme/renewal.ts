/**
 * Looks after every certificate that is wanted: one at a time, with one timer, at least once an hour, whatever the clock
 * does meanwhile. Serves what there is, and never lets a failure take away what is good.
 */
import type { KeyPair } from '../../config/config.ts';
import type { Timer } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { AcmeFailure } from './contract.ts';
import type { AcmeManager, AcmePorts, RecordedFailure, WantedCertificate } from './contract.ts';
import { keepCertificate } from './kept-certificate.ts';
import type { KeptCertificate } from './kept-certificate.ts';
import { canonicalName, nameOf } from './pair.ts';

const LONGEST_SLEEP_MS = 3_600_000;
const SHORTEST_SLEEP_MS = 1000;
/** More in a row than plans can ask for: whatever asks for more is a fault of ours, and rests until the next wake-up. */
const MOST_STEPS = 100;

export function createAcmeManager(ports: AcmePorts): AcmeManager {
  const { settings, store, clock, log } = ports;
  const ended = new AbortController();
  let timer: Timer | null = null;
  let opened: Promise<void> | null = null;
  let isStarted = false;
  let turn: Promise<unknown> = Promise.resolve();

  const certificates: readonly KeptCertificate[] = settings.certificates.map((wanted) =>
    keepCertificate(wanted, {
      ...ports,
      random: () => ports.random(),
      predecessors: () => ports.predecessors(),
      directoriesOf: (one) => ({
        real: settings.directories.map(({ url }) => url),
        staging: settings.staging?.url ?? null,
        neighbours: neighboursOf(one),
      }),
      onPair() {
        if (isStarted) ports.onChange(pairs());
      },
    }),
  );

  const pairs = (): readonly KeyPair[] => {
    const all = certificates.flatMap((certificate) => certificate.served());
    return all.filter((pair, index) => all.findIndex(({ cert }) => cert === pair.cert) === index);
  };

  const neighboursOf = (wanted: WantedCertificate): RecordedFailure[] => {
    const names = new Set(wanted.names.map(canonicalName));
    return certificates
      .filter((other) => other.wanted !== wanted && other.wanted.names.some((name) => names.has(canonicalName(name))))
      .flatMap((other) => other.state().failures);
  };

  /** One after the other, whoever asks. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };

  const open = async (): Promise<void> => {
    await store.open();
    for (const certificate of certificates) await certificate.load();
  };

  const ensureOpen = (): Promise<void> => {
    opened ??= open().catch((error: unknown) => {
      opened = null;
      throw error;
    });
    return opened;
  };

  const cycle = async (): Promise<void> => {
    await ensureOpen();
    for (const certificate of certificates) await certificate.load();
    for (let step = 0; step < MOST_STEPS && !ended.signal.aborted; step++) {
      const due = certificates.find((certificate) => certificate.plan().kind !== 'wait');
      if (due === undefined) return;
      if (due.plan().kind === 'ask-ari') await due.askForWindow(ended.signal);
      else await due.order(null, ended.signal);
    }
  };

  const sleep = (): void => {
    timer?.cancel();
    if (ended.signal.aborted || !isStarted) return;
    const now = clock.now();
    const moments = certificates.map((certificate) => {
      const next = certificate.plan();
      return next.kind === 'wait' ? next.until : now;
    });
    const ms = Math.min(Math.max(Math.min(...moments) - now, SHORTEST_SLEEP_MS), LONGEST_SLEEP_MS);
    timer = clock.after(ms, wake);
  };

  const wake = (): void => {
    inTurn(cycle)
      .catch((error: unknown) => {
        const hint = error instanceof PromgateError && error.hint !== undefined ? { hint: error.hint } : {};
        const text = error instanceof Error ? error.message : 'unknown error';
        log.error({ error: text, ...hint }, 'certificates cannot be looked after');
      })
      .finally(sleep);
  };

  const find = (name: string | null): readonly KeptCertificate[] => {
    if (name === null) return certificates;
    const found = certificates.filter(({ wanted }) => nameOf(wanted) === name);
    if (found.length > 0) return found;
    const known = certificates.map(({ wanted }) => JSON.stringify(nameOf(wanted))).join(', ');
    throw new PromgateError('USAGE', `no certificate is called ${JSON.stringify(name)}`, { hint: `there is ${known}` });
  };

  const force = async (certificate: KeptCertificate): Promise<void> => {
    const [directory] = settings.directories;
    if (directory === undefined) throw new TypeError('there is no directory to ask');
    const result = await certificate.order({ directory, role: 'real', because: 'it was asked for' }, ended.signal);
    if (result === null) throw new AcmeFailure('timeout', 'another process works on this certificate');
    if (!result.ok) throw result.failure;
  };

  return {
    pairs,
    open: () => inTurn(ensureOpen),
    start() {
      if (isStarted || ended.signal.aborted) return;
      isStarted = true;
      wake();
    },
    async renew(name) {
      const wanted = find(name);
      try {
        await inTurn(async () => {
          await ensureOpen();
          const failures: unknown[] = [];
          for (const certificate of wanted) {
            await force(certificate).catch((error: unknown) => failures.push(error));
          }
          if (failures.length > 0) throw failures[0];
        });
      } finally {
        sleep();
      }
    },
    status: () => certificates.map((certificate) => certificate.status()),
    async close() {
      ended.abort();
      timer?.cancel();
      await turn;
    },
  };
}
