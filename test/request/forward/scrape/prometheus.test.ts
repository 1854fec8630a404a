/** A real Prometheus behind the gate, and a real one that scrapes through it: each that the machine has. */
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upstreamAt } from '../../../support/config-fixture.ts';
import { poll } from '../../../support/poll.ts';
import { prometheusPrograms } from '../../../support/programs.ts';
import { startPrometheus } from '../../../support/prometheus.ts';
import type { Prometheus } from '../../../support/prometheus.ts';
import { startGate, startOrigin } from '../gate-fixture.ts';
import type { TestGate } from '../gate-fixture.ts';
import { PROTOCOLS, read } from './reader.ts';
import type { Protocol } from './reader.ts';

const PAGE = Array.from({ length: 3000 }, (_, index) => `cpu{cpu="${String(index)}"} ${String(index)}.5\n`).join('');
const EVERYTHING = '/federate?match[]=%7B__name__%3D~%22.%2B%22%7D';

type Closing = (() => Promise<void>)[];

async function federated(program: string, closing: Closing): Promise<{ site: Prometheus; gate: TestGate }> {
  const exporter = await startOrigin((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(PAGE);
  });
  closing.push(() => exporter.close());
  const site = await startPrometheus({
    program,
    scrapeConfigs: `- {job_name: node, static_configs: [{targets: ["127.0.0.1:${String(exporter.port)}"]}]}`,
  });
  closing.push(() => site.stop());
  await site.waitFor('cpu');
  const scrape = { compression: 'auto', compressionLevel: 1, share: 'identity', maxAgeMs: 0 } as const;
  const gate = await startGate({ upstream: upstreamAt(site.port, { scrape }) });
  closing.push(() => gate.close());
  return { site, gate };
}

describe.each(prometheusPrograms())('$name', ({ path: program }) => {
  let site: Prometheus;
  let gate: TestGate;
  const closing: Closing = [];

  beforeAll(async () => {
    ({ site, gate } = await federated(program, closing));
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  it('is federated through the gate byte for byte, over both protocols, compressed or not', async () => {
    const direct = async (): Promise<string> => (await fetch(site.url + EVERYTHING)).text();
    const through = async (protocol: Protocol, encoding: string): Promise<string> => {
      const reader = read(gate, EVERYTHING, { protocol, headers: { 'accept-encoding': encoding } });
      expect(await reader.ended()).toBe('whole');
      expect(reader.headers['content-encoding']).toBe(encoding === 'gzip' ? 'gzip' : undefined);
      return (encoding === 'gzip' ? gunzipSync(reader.body()) : reader.body()).toString();
    };
    for (const protocol of PROTOCOLS) {
      for (const encoding of ['gzip', 'identity']) {
        // Between two scrapes of the site its answer stands still.
        await poll(`the same answer over ${protocol}, ${encoding}`, async () => {
          const before = await direct();
          const found = await through(protocol, encoding);
          expect(found.split('\n').length).toBeGreaterThan(3000);
          return before === (await direct()) && found === before;
        });
      }
    }
  });

  it('answers a protobuf scrape in protobuf', async () => {
    const accept = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
    const reader = read(gate, EVERYTHING, { headers: { accept, 'accept-encoding': 'gzip' } });
    expect(await reader.ended()).toBe('whole');
    expect(reader.headers['content-type']).toContain('application/vnd.google.protobuf');
    expect(gunzipSync(reader.body()).includes('cpu')).toBe(true);
  });

  it('scrapes through the gate', async () => {
    const master = await startPrometheus({
      program,
      scrapeConfigs: `
- job_name: federate
  honor_labels: true
  metrics_path: /federate
  params: {"match[]": ['{job="node"}']}
  static_configs: [{targets: ["127.0.0.1:${String(gate.port)}"]}]`,
    });
    closing.push(() => master.stop());
    await master.waitFor('count(cpu) == 3000');
    expect(await master.query('up{job="federate"}')).toMatchObject([{ value: '1' }]);
    expect(gate.metrics.refusals).toEqual([]);
  });
});
