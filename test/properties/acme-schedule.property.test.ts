/** Whole years of renewals: a certificate never ends while its CA is up an hour a day, and no limit of a CA is reached. */
import fc, { runs } from '../support/property.ts';
import { describe, expect, it, vi } from 'vitest';
import { DAY, HOUR, START } from '../support/acme-renewals.ts';
import { simulate } from '../support/acme-simulation.ts';
import type { Chronicle, Fate } from '../support/acme-simulation.ts';

vi.setConfig({ testTimeout: 120_000 });

const LIFETIMES: [string, number][] = [
  ['45 days', 45 * DAY],
  ['160 hours', 160 * HOUR],
  ['90 days', 90 * DAY],
];
const lifetime = fc.constantFrom(...LIFETIMES.map(([, ms]) => ms));
const always = (): Fate => 'issue';

function expectGood({ hoursWithout, violations, errors }: Chronicle): void {
  expect({ hoursWithout, violations, errors }).toEqual({ hoursWithout: 0, violations: [], errors: [] });
}

describe.each(LIFETIMES)('a year of certificates that live %s', (_, ms) => {
  const share = ms < 10 * DAY ? 1 / 2 : 1 / 3;

  it('without renewal information: each is renewed when its share is left', async () => {
    const year = await simulate({ lifetime: ms, days: 365, fate: always });
    expectGood(year);
    const [first, ...renewals] = year.issued;
    expect(first?.left).toBeNull();
    for (const { left } of renewals) {
      expect(left).toBeLessThanOrEqual(ms * share);
      expect(left).toBeGreaterThan(ms * share - 2 * HOUR);
    }
    expect(renewals.length).toBe(Math.floor((365 * DAY) / (ms * (1 - share) - HOUR)));
  });

  it('with renewal information: asked at least twice a day, renewed within the window', async () => {
    const year = await simulate({ lifetime: ms, days: 365, fate: always, ari: () => true });
    expectGood(year);
    const lefts = year.issued.map(({ left }) => left).filter((left) => left !== null);
    expect(lefts.length).toBeGreaterThan(365 / (ms / DAY));
    for (const left of lefts) {
      expect(Math.abs(left - ms * share)).toBeLessThanOrEqual(ms / 50 + 2 * HOUR);
    }
    const gaps = year.questions.slice(1).map((at, index) => at - (year.questions[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(12 * HOUR);
    // The moment is drawn: two certificates do not take the same place in their windows.
    expect(new Set(lefts.map((left) => Math.round(left / 60_000))).size).toBeGreaterThan(1);
  });

  it('through half a year without an answer about renewal', async () => {
    const ari = (time: number): boolean => time < START + 90 * DAY || time > START + 270 * DAY;
    expectGood(await simulate({ lifetime: ms, days: 365, fate: always, ari }));
  });

  it('through an outage of the CA in every month', async () => {
    // As long as a certificate can bear: a week, or what is left of a short one when it is due, less a day.
    const outage = Math.min(7 * DAY, ms * share - DAY);
    const fate = (time: number): Fate => ((time - START) % (30 * DAY) > 30 * DAY - outage ? 'unreachable' : 'issue');
    expectGood(await simulate({ lifetime: ms, days: 365, fate, ari: (time) => fate(time) === 'issue' }));
  });

  it('with a clock that jumps a day ahead, back, and a day behind', async () => {
    const jumps = [
      { at: START + 40 * DAY, by: DAY },
      { at: START + 41 * DAY, by: -DAY },
      { at: START + 100 * DAY, by: -DAY },
      { at: START + 130 * DAY, by: DAY },
      // A clock without a battery: decades behind, until it is set.
      { at: START + 200 * DAY, by: -20_000 * DAY },
      { at: START + 200 * DAY + 2 * HOUR, by: 20_000 * DAY },
      // And decades ahead.
      { at: START + 300 * DAY, by: 20_000 * DAY },
      { at: START + 300 * DAY + 2 * HOUR, by: -20_000 * DAY },
    ];
    expectGood(await simulate({ lifetime: ms, days: 365, fate: always, ari: () => true, jumps }));
  });
});

describe('any life', () => {
  it('never ends while the CA is up one hour a day, crashes once a week included', async () => {
    const world = fc.record({
      lifetime,
      staging: fc.boolean(),
      fallback: fc.boolean(),
      hasAri: fc.boolean(),
      // In which minute of each day the hour begins.
      hours: fc.array(fc.integer({ min: 0, max: 23 * 60 }), { minLength: 1, maxLength: 9 }),
      seed: fc.double({ min: 0, max: 0.999, noNaN: true }),
      crashes: fc.array(fc.constantFrom<Fate>('crash-before-issue', 'crash-after-issue', 'lost'), { maxLength: 30 }),
    });
    await fc.assert(
      fc.asyncProperty(world, async ({ hours, hasAri, crashes, seed, ...rest }) => {
        let lastCrash = 0;
        const todo = [...crashes];
        const isUp = (time: number): boolean => {
          const day = Math.floor((time - START) / DAY);
          const begin = START + day * DAY + (hours[day % hours.length] ?? 0) * 60_000;
          return day === 0 || (time >= begin && time < begin + HOUR);
        };
        const fate = (time: number, name: string): Fate => {
          if (name === 'second' || !isUp(time)) return 'unreachable';
          if (name === 'first' && time - lastCrash > 7 * DAY && todo.length > 0) {
            lastCrash = time;
            return todo.shift() ?? 'issue';
          }
          return 'issue';
        };
        const ari = hasAri ? { ari: isUp } : {};
        expectGood(await simulate({ ...rest, ...ari, days: 90, fate, random: () => seed }));
      }),
      { numRuns: runs(5, 12) },
    );
  });

  it('never asks more of the CA than its limits allow, whatever fails and however often it crashes', async () => {
    const fates = fc.array(
      fc.constantFrom<Fate>(
        'issue',
        'crash-before-issue',
        'crash-after-issue',
        'lost',
        'unreachable',
        'refused',
        'rate-limited',
        'challenge',
        'account',
        'garbage',
        'timeout',
      ),
      { minLength: 1, maxLength: 40 },
    );
    const world = fc.record({ lifetime, staging: fc.boolean(), fallback: fc.boolean(), fates });
    await fc.assert(
      fc.asyncProperty(world, async ({ fates: list, ...rest }) => {
        const fate = (_time: number, _name: string, count: number): Fate => list[count % list.length] ?? 'issue';
        const { violations, errors } = await simulate({ ...rest, days: 30, fate });
        expect({ violations, errors }).toEqual({ violations: [], errors: [] });
      }),
      { numRuns: runs(15, 40) },
    );
  });

  it.each<Fate>(['crash-before-issue', 'crash-after-issue', 'challenge', 'lost'])(
    'an order that always ends in %s stays within the limits',
    async (what) => {
      const { violations, attempts } = await simulate({ lifetime: 90 * DAY, days: 30, fate: () => what });
      expect(violations).toEqual([]);
      expect(attempts.length).toBeGreaterThan(4);
    },
  );
});
