/**
 * Who asks the upstream for a scrape, and who gets the answer of another: identical scrapes in flight share one upstream
 * request, and a federation's answer may be given again for a while. Outlives reloads; their generation is in the key.
 */
import type { Clock } from '../../../lib/clock.ts';
import type { Answer } from '../../answer.ts';
import { partyOf } from '../../party.ts';
import type { Passage } from '../../passage.ts';
import { CompressionTurns } from './compression-turns.ts';
import { Flight } from './flight.ts';
import { GzipAnswer } from './gzip-answer.ts';
import { Intake } from './intake.ts';
import { KeptAnswers } from './kept-answers.ts';
import { createLineCounter } from './line-counter.ts';
import { Participant } from './participant.ts';
import type { ParticipantOptions } from './participant.ts';
import type { ScrapePlan } from './plan.ts';
import { ScrapeSlots } from './scrape-slots.ts';
import { ShareMemory } from './share-memory.ts';

export interface ScrapesOptions {
  readonly clock: Clock;
  /** The most that is kept of one answer for slow readers and newcomers. */
  readonly shareBytes?: number;
  /** The most that is kept of all of them. */
  readonly totalBytes?: number;
}

export interface Scrape {
  readonly passage: Passage;
  readonly plan: ScrapePlan;
  readonly limits: Omit<ParticipantOptions, 'clock'>;
  /** Asks the upstream; everything that comes of it happens to the answer. Called at most once, before `begin` returns. */
  readonly ask: (answer: Answer) => void;
}

export interface Scrapes {
  /** Answers a scrape: with an answer of before, one that is under way, or by asking. */
  begin(scrape: Scrape): void;
  /** Counts what is no scrape and costs as much, or refuses. @returns whether it may go on. */
  admit(passage: Passage): boolean;
  /** Bytes that are kept for sharing. */
  readonly usedBytes: number;
  close(): void;
}

const MEBIBYTE = 1_048_576;
/** The 17 MB of a large federation fit whole; of more, newcomers ask anew. */
const SHARE_BYTES = 32 * MEBIBYTE;
const TOTAL_BYTES = 64 * MEBIBYTE;
/** One that cannot be joined any more, and one for those who came too late for it. Of each party: none blocks another. */
const MOST_FLIGHTS_PER_KEY = 2;

export function createScrapes({ clock, shareBytes = SHARE_BYTES, totalBytes = TOTAL_BYTES }: ScrapesOptions): Scrapes {
  const kept = new KeptAnswers(clock);
  const memory = new ShareMemory(totalBytes, (party) => kept.evict(party));
  const slots = new ScrapeSlots();
  const compression = new CompressionTurns();
  const lines = createLineCounter();
  /** Upstream requests under way, the newest last. */
  const flights = new Map<string, Flight[]>();
  let generation = 0;

  const landed = (flight: Flight, key: string, maxAgeMs: number, ofGeneration: number): void => {
    const flying = flights.get(key)?.filter((other) => other !== flight) ?? [];
    if (flying.length === 0) flights.delete(key);
    else flights.set(key, flying);
    if (maxAgeMs > 0 && ofGeneration === generation) kept.put(key, flight, maxAgeMs);
  };

  const depart = ({ passage, plan, limits, ask }: Scrape, participant: Participant): void => {
    const { key, maxAgeMs, encoding } = plan;
    const { question, upstream, config } = passage;
    const flight = new Flight({
      startedAt: clock.monotonic(),
      party: partyOf(passage),
      memory: key === null ? null : memory,
      capBytes: shareBytes,
      negotiated: encoding !== null,
      onLanded: (which) => {
        if (key !== null) landed(which, key, maxAgeMs, config.generation);
      },
    });
    if (key !== null) flights.set(key, [...(flights.get(key) ?? []), flight]);
    flight.join(participant);
    let next: Answer = flight;
    const level = upstream?.scrape.compressionLevel ?? 1;
    if (encoding === 'gzip') next = new GzipAnswer(next, { level, party: partyOf(passage), turns: compression });
    // Behind the filter: what an identity does not see is neither in its account nor under its caps.
    next = new Intake(flight, next, limits.judge !== null, lines);
    const filter = question?.filter ?? null;
    ask(filter === null ? next : filter.over(next));
  };

  return {
    begin(scrape) {
      const { passage, plan, limits } = scrape;
      const { key } = plan;
      if (!slots.enter(passage)) return;
      if (passage.config.generation > generation) {
        generation = passage.config.generation;
        kept.clear();
      }
      if (key === null) {
        depart(scrape, new Participant(passage, { clock, ...limits }));
        return;
      }
      const before = plan.maxAgeMs > 0 ? kept.get(key) : null;
      const flying = flights.get(key);
      const found = before ?? flying?.find(({ joinable }) => joinable) ?? null;
      const led = flying?.filter(({ party }) => party === partyOf(passage)) ?? [];
      if (found === null && led.length >= MOST_FLIGHTS_PER_KEY) {
        passage.answer.refuse('scrape_busy', { retryAfterSeconds: 1 });
        return;
      }
      const participant = new Participant(passage, { clock, ...limits });
      if (found === null) {
        depart(scrape, participant);
        return;
      }
      participant.record.sharing = before === null ? 'joined' : 'reused';
      found.join(participant);
    },
    admit: (passage) => slots.enter(passage),
    get usedBytes() {
      return memory.usedBytes;
    },
    close() {
      kept.clear();
    },
  };
}
