/**
 * The attack: a stranger sends requests with ever new user names, host names and status codes (through an upstream that
 * echoes them), or an operator's automation reloads for ever with new names, until the gate's own metrics fill its
 * memory and the scrape of the gate takes seconds.
 */
import { expect, it } from 'vitest';
import { createMetrics } from '../../src/observe/metrics.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { configOf, upstreamAt } from '../support/config-fixture.ts';

function make() {
  return createMetrics({ clock: createFakeClock(), version: '0', nodeVersion: 'v0' });
}

async function seriesOf(metrics: ReturnType<typeof make>): Promise<number> {
  const { body } = await metrics.expose();
  return body.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}

const RECORD = { upstream: 'x', identity: 'x', status: 200, durationSeconds: 0.1, bytesIn: 1, bytesOut: 1 };

it('makes no series of names that the configuration does not have', async () => {
  const metrics = make();
  metrics.describe(configOf({ users: new Map([['prom', []]]) }));
  metrics.request({ ...RECORD, upstream: 'unknown', identity: 'unknown' });
  const before = await seriesOf(metrics);
  for (let at = 0; at < 2000; at += 1) {
    const name = `stranger-${at}`;
    metrics.request({ ...RECORD, upstream: name, identity: name });
    metrics.upstreamUp(name, false);
    metrics.upstreamRetried(name);
    metrics.upstreamBypassable(name, true);
    metrics.hostNameResolved(name, false);
  }
  expect(await seriesOf(metrics)).toBe(before);
  expect((await metrics.expose()).body).not.toContain('stranger');
});

it('makes no series of status codes that do not exist', async () => {
  const metrics = make();
  metrics.describe(configOf());
  for (let status = 0; status < 2000; status += 1) metrics.request({ ...RECORD, status });
  const { body } = await metrics.expose();
  expect(body.match(/^promgate_requests_total\{/gm)?.length).toBeLessThan(80);
  expect(body).toContain('code="other"');
  expect(body).toContain('code="499"');
});

it('does not grow over a thousand reloads with new names', async () => {
  const metrics = make();
  const reload = (at: number): void => {
    const upstream = upstreamAt(10_000 + at);
    metrics.describe(
      configOf({
        hash: String(at),
        upstreams: [upstream],
        users: new Map([[`user-${at}`, []]]),
        access: { ...configOf().access, allowHosts: [`host-${at}`] },
      }),
    );
    metrics.request({ ...RECORD, upstream: upstream.name, identity: `user-${at}` });
    metrics.upstreamUp(upstream.name, true);
    metrics.upstreamBypassable(upstream.name, false);
    metrics.hostNameResolved(`host-${at}`, false);
  };
  reload(0);
  const before = await seriesOf(metrics);
  for (let at = 1; at <= 1000; at += 1) reload(at);
  expect(await seriesOf(metrics)).toBe(before);
});
