/**
 * Two years of a gate's care for its files, in a moment: what renews runs on a clock that is moved by hand, and each day the
 * configuration is read as the gate reads it. A program of its own, so that a test can run it as another user and with other
 * mounts: `two-years.ts promgate.yml` prints one JSON object.
 */
import { loadConfig } from '../../src/config/load.ts';
import { createCrlKeeper } from '../../src/tls/authority/crl-keeper.ts';
import { createRenewer } from '../../src/tls/authority/renewer.ts';
import { createFakeClock } from './fake-clock.ts';

const DAY_MS = 86_400_000;
const DAYS = 730;
/** Days between two looks of the simulation: far fewer than any list or certificate has left when it is renewed. */
const STEP = 5;

export interface TwoYears {
  /** The first day on which clients of the CA, or everybody, would be refused; null: none. */
  readonly listEnded: number | null;
  readonly certificateEnded: number | null;
  /** Lines of the log that are warnings or errors. */
  readonly complaints: readonly string[];
  /** What the container's health says on the first day. */
  readonly worries: readonly string[];
}

async function live(configFile: string): Promise<TwoYears> {
  const clock = createFakeClock(Date.now());
  const complaints: string[] = [];
  const complain = (_fields: object, message: string): void => {
    complaints.push(message);
  };
  const log = { debug: () => undefined, info: () => undefined, warn: complain, error: complain };
  const metrics = { crlKept: () => undefined, crlRefreshed: () => undefined, certificateRenewed: () => undefined };
  const keeper = createCrlKeeper({ clock, log, metrics });
  const renewer = createRenewer({ clock, log, metrics });
  let worries: readonly string[] = [];
  for (let day = 0; day <= DAYS; day += STEP) {
    const loaded = await loadConfig(configFile, { generation: day + 1, clock });
    if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
    const { tls, files } = loaded.config;
    const isOver = (end: number | null): boolean => end !== null && end <= clock.now();
    const listEnded = tls?.trust.crls.some(({ nextUpdate }) => isOver(nextUpdate)) === true ? day : null;
    const certificateEnded = tls?.certificates.some(({ notAfter }) => isOver(notAfter)) === true ? day : null;
    if (listEnded !== null || certificateEnded !== null) return { listEnded, certificateEnded, complaints, worries };
    keeper.follow(files);
    renewer.follow(tls?.certificates ?? []);
    await keeper.look();
    await renewer.look();
    if (day === 0) worries = [...keeper.worries(), ...renewer.worries()];
    clock.advance(STEP * DAY_MS);
  }
  return { listEnded: null, certificateEnded: null, complaints, worries };
}

process.stdout.write(JSON.stringify(await live(process.argv[2] ?? 'promgate.yml')));
