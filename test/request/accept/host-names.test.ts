import { describe, expect, it } from 'vitest';
import {
  KEEP_THROUGH_FAILURES_MS,
  REFRESH_MS,
  STAY_AFTER_LEAVING_MS,
  createHostNames,
} from '../../../src/request/accept/host-names.ts';
import { noMetrics } from '../../../src/observe/ports.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

function scene(answers: Record<string, string[] | Error>) {
  const clock = createFakeClock();
  const warnings: object[] = [];
  let changes = 0;
  const names = createHostNames({
    clock,
    metrics: noMetrics,
    log: {
      debug: () => undefined,
      info: () => undefined,
      error: () => undefined,
      warn: (fields) => {
        warnings.push(fields);
      },
    },
    resolve: (host) => {
      const answer = answers[host];
      return answer === undefined || answer instanceof Error
        ? Promise.reject(answer ?? new Error('NXDOMAIN'))
        : Promise.resolve(answer);
    },
    onChange: () => {
      changes += 1;
    },
  });
  /** One refresh, and the answers taken in. */
  const refresh = async (): Promise<void> => {
    clock.advance(REFRESH_MS);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  };
  return { answers, clock, names, refresh, warnings, changes: () => changes };
}

describe('host names in allow', () => {
  it('admits the addresses of the answer, normalised', async () => {
    const { names } = scene({ master: ['192.0.2.1', '::ffff:192.0.2.2'] });
    await names.follow(['master']);
    expect(['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) => names.has(address))).toEqual([true, true, false]);
  });

  it('admits nobody for a name that does not resolve, and warns once', async () => {
    const { names, refresh, warnings } = scene({});
    await names.follow(['nowhere']);
    await refresh();
    expect(names.has('192.0.2.1')).toBe(false);
    expect(warnings).toHaveLength(1);
  });

  it('keeps an address for ten minutes after it left the answer', async () => {
    const { answers, clock, names, refresh } = scene({ master: ['192.0.2.1'] });
    await names.follow(['master']);
    answers['master'] = ['192.0.2.9'];
    await refresh();
    clock.advance(STAY_AFTER_LEAVING_MS - REFRESH_MS);
    expect([names.has('192.0.2.1'), names.has('192.0.2.9')]).toEqual([true, true]);
    await refresh();
    await refresh();
    expect([names.has('192.0.2.1'), names.has('192.0.2.9')]).toEqual([false, true]);
  });

  it('keeps the last answer through failures for a day, then admits nobody', async () => {
    const { answers, clock, names, refresh } = scene({ master: ['192.0.2.1'] });
    await names.follow(['master']);
    answers['master'] = new Error('SERVFAIL');
    clock.advance(KEEP_THROUGH_FAILURES_MS - 2 * REFRESH_MS);
    await refresh();
    expect(names.has('192.0.2.1')).toBe(true);
    clock.advance(2 * REFRESH_MS);
    await refresh();
    expect(names.has('192.0.2.1')).toBe(false);
  });

  it('says when somebody came or went, so that live connections are judged again', async () => {
    const { answers, clock, names, refresh, changes } = scene({ master: ['192.0.2.1'] });
    await names.follow(['master']);
    expect(changes()).toBe(1);
    await refresh();
    expect(changes()).toBe(1);
    answers['master'] = ['192.0.2.2'];
    await refresh();
    expect(changes()).toBe(2);
    clock.advance(STAY_AFTER_LEAVING_MS);
    await refresh();
    expect(changes()).toBe(3);
  });

  it('forgets a name that left the configuration', async () => {
    const { names } = scene({ master: ['192.0.2.1'] });
    await names.follow(['master']);
    await names.follow([]);
    expect(names.has('192.0.2.1')).toBe(false);
  });
});
