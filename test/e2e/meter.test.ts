/** The meters against what real Prometheuses answer: the same page as text and as protobuf, and what they count. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLineCounter } from '../../src/request/forward/scrape/line-counter.ts';
import { createMeter } from '../../src/request/forward/scrape/meter.ts';
import type { Meter } from '../../src/request/forward/scrape/meter.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';
import { prometheusPrograms } from '../support/programs.ts';

const TEXT = 'text/plain;version=0.0.4';
const PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
const SCRAPE_ITSELF = '- {job_name: itself, scrape_interval: 1s, static_configs: [{targets: ["127.0.0.1:${port}"]}]}';

/** Meters an answer as it comes. */
function measured(prometheus: Prometheus, path: string, accept: string): Promise<{ meter: Meter; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = { accept, 'accept-encoding': 'identity' };
    request(prometheus.url + path, { headers, agent: false }, (answer) => {
      const meter = createMeter(
        answer.headers['content-type'],
        answer.headers['content-encoding'],
        createLineCounter(),
      );
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        meter.add(chunk);
      });
      answer.on('error', reject).on('end', () => {
        meter.end();
        resolve({ meter, body: Buffer.concat(chunks) });
      });
    })
      .on('error', reject)
      .end();
  });
}

const linesOf = (body: Buffer): number =>
  body
    .toString()
    .split('\n')
    .filter((line) => /^[^#]/.test(line)).length;

describe.each(prometheusPrograms())('a page of $name', ({ path: program }) => {
  let prometheus: Prometheus;
  let version = '';

  beforeAll(async () => {
    prometheus = await startPrometheus({ program, scrapeConfigs: SCRAPE_ITSELF });
    await prometheus.waitFor('up{job="itself"} == 1', 30_000);
    const [info] = await prometheus.waitFor('prometheus_build_info', 30_000);
    version = info?.metric['version'] ?? '';
    // Its own metrics get a series for each path that was asked.
    for (const accept of [TEXT, PROTOBUF, TEXT]) await measured(prometheus, '/metrics', accept);
  }, 60_000);

  afterAll(() => prometheus.stop());

  it('/metrics has as many series in protobuf as in text', async () => {
    const text = await measured(prometheus, '/metrics', TEXT);
    const protobuf = await measured(prometheus, '/metrics', PROTOBUF);
    expect(protobuf.body.subarray(0, 20).toString()).not.toMatch(/^# HELP/);
    expect(text.meter.series).toBe(linesOf(text.body));
    expect(text.meter.series).toBeGreaterThan(300);
    // One more for each histogram that is a native one as well: the text formats leave that out.
    const histograms = text.body.toString().match(/le="\+Inf"/g)?.length ?? 0;
    const natives = (protobuf.meter.series ?? 0) - (text.meter.series ?? 0);
    expect(natives).toBeGreaterThanOrEqual(0);
    expect(natives).toBeLessThanOrEqual(version.startsWith('2.') ? 0 : histograms);
    expect(protobuf.meter.bytes).toBe(protobuf.body.length);
  });

  it('/federate has as many series as the database says', async () => {
    const selector = '{job="itself",__name__=~"go_.*|prometheus_tsdb_.*"}';
    const path = `/federate?match[]=${encodeURIComponent(selector)}`;
    const [counted] = await prometheus.query(`count(${selector})`);
    const text = await measured(prometheus, path, TEXT);
    const protobuf = await measured(prometheus, path, PROTOBUF);
    expect(text.meter.series).toBe(Number(counted?.value));
    expect(text.meter.series).toBeGreaterThan(100);
    expect(protobuf.meter.series).toBe(text.meter.series);
  });
});
