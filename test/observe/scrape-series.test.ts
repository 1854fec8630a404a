import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/observe/metrics.ts';
import type { GateMetrics } from '../../src/observe/metrics.ts';
import type { ScrapeObservation } from '../../src/observe/ports.ts';
import type { ScrapeRecord } from '../../src/request/scrape-record.ts';
import { configOf, upstreamOf } from '../support/config-fixture.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const START = Date.UTC(2026, 0, 1);
const NAME = 'http://127.0.0.1:9090';

function make(users: readonly string[] = ['prom'], upstreams: readonly string[] = [NAME]): GateMetrics {
  const metrics = createMetrics({ clock: createFakeClock(START), version: '1.2.3', nodeVersion: 'v20.19.0' });
  describeWith(metrics, users, upstreams);
  return metrics;
}

function describeWith(metrics: GateMetrics, users: readonly string[], upstreams: readonly string[] = [NAME]): void {
  metrics.describe(
    configOf({
      users: new Map(users.map((user) => [user, []])),
      upstreams: upstreams.map((name) => upstreamOf({ name })),
    }),
  );
}

function scrape(changes: Partial<Omit<ScrapeObservation, 'scrape'>> = {}, record: Partial<ScrapeRecord> = {}) {
  return {
    upstream: NAME,
    identity: 'prom',
    durationSeconds: 0.3,
    isWhole: true,
    scrape: { bytes: 1000, series: 20, samples: 25, firstByteMs: 12, sharing: 'leader', ...record },
    ...changes,
  } satisfies ScrapeObservation;
}

async function lines(metrics: GateMetrics): Promise<string[]> {
  const { body } = await metrics.expose();
  return body.split('\n').filter((line) => /^promgate_(?:scrape|identity)/.test(line) && !line.includes('_bucket{'));
}

const AT = `{upstream="${NAME}",identity="prom"}`;

describe('the series of scrapes', () => {
  it('are counted by upstream and identity', async () => {
    const metrics = make();
    metrics.scrape(scrape());
    metrics.scrape(scrape({ durationSeconds: 0.5 }, { sharing: 'joined', series: 21, samples: 5 }));
    expect(await lines(metrics)).toEqual([
      `promgate_scrapes_total{upstream="${NAME}",identity="prom",sharing="leader"} 1`,
      `promgate_scrapes_total{upstream="${NAME}",identity="prom",sharing="joined"} 1`,
      `promgate_scrape_samples_total${AT} 30`,
      `promgate_scrape_bytes_total${AT} 2000`,
      `promgate_scrape_series${AT} 21`,
      'promgate_scrape_duration_seconds_sum{identity="prom"} 0.8',
      'promgate_scrape_duration_seconds_count{identity="prom"} 2',
      'promgate_scrape_first_byte_seconds_sum{identity="prom"} 0.024',
      'promgate_scrape_first_byte_seconds_count{identity="prom"} 2',
    ]);
  });

  it('have no series of what was cut or could not be counted, and no first byte of what had none', async () => {
    const metrics = make();
    metrics.scrape(scrape({}, { series: null, samples: null, firstByteMs: null }));
    metrics.scrape(scrape({ isWhole: false }, { firstByteMs: null }));
    const shown = (await lines(metrics)).filter((line) => /_series|first_byte|samples/.test(line));
    expect(shown).toEqual([`promgate_scrape_samples_total${AT} 25`]);
  });

  it('are bounded by the configuration', async () => {
    const metrics = make();
    for (let count = 0; count < 50; count++)
      metrics.scrape(scrape({ identity: `x${String(count)}`, upstream: `y${String(count)}` }));
    expect((await lines(metrics)).filter((line) => line.startsWith('promgate_scrapes_total'))).toEqual([
      'promgate_scrapes_total{upstream="other",identity="other",sharing="leader"} 50',
    ]);
  });

  it('go with their identity and their upstream', async () => {
    const metrics = make(['prom', 'gone'], [NAME, 'http://gone']);
    metrics.scrape(scrape({ identity: 'gone' }));
    metrics.scrape(scrape({ upstream: 'http://gone' }, { sharing: 'reused' }));
    describeWith(metrics, ['prom']);
    expect(await lines(metrics)).toEqual([
      'promgate_scrape_duration_seconds_sum{identity="prom"} 0.3',
      'promgate_scrape_duration_seconds_count{identity="prom"} 1',
      'promgate_scrape_first_byte_seconds_sum{identity="prom"} 0.012',
      'promgate_scrape_first_byte_seconds_count{identity="prom"} 1',
    ]);
  });

  it('say when an identity was seen last', async () => {
    const metrics = make();
    const identity = {
      name: 'password:prom',
      label: 'prom',
      user: 'prom',
      certificate: null,
      claim: { kind: 'open' },
    } as const;
    metrics.visited({ identity, address: '192.0.2.7', bytesOut: 1, scrape: null, isWhole: true, denial: null });
    const shown = (await lines(metrics)).filter((line) => line.startsWith('promgate_identity'));
    expect(shown).toEqual([`promgate_identity_last_seen_timestamp_seconds{identity="prom"} ${String(START / 1000)}`]);
    describeWith(metrics, []);
    expect((await lines(metrics)).filter((line) => line.startsWith('promgate_identity'))).toEqual([]);
  });
});
