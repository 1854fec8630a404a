import { afterEach, beforeEach, expect, it } from 'vitest';
import { addressWarnings, certificateWarnings, selfUpstreamHint } from '../../src/cli/start-hints.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createAuthority } from '../support/certificates.ts';
import { interfaceInfo } from './interface-info.ts';
import { createInitFixture, DAY_MS } from './init-fixture.ts';
import type { InitFixture } from './init-fixture.ts';
import { writeFileSync } from 'node:fs';

let fixture: InitFixture;

beforeEach(() => {
  fixture = createInitFixture();
});

afterEach(() => {
  fixture.remove();
});

async function load(): Promise<Config> {
  const result = await loadConfig(fixture.path('promgate.yml'), { generation: 1 });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

it('says 30 days before the end that init renews the certificate', async () => {
  await fixture.init();
  const config = await load();
  const end = fixture.certificate('server').notAfter;
  expect(certificateWarnings(config, end - 30 * DAY_MS - 1)).toEqual([]);
  const [soon] = certificateWarnings(config, end - 12 * DAY_MS);
  expect(soon).toMatch(/server\.crt ends in 12 days \(\d{4}-\d\d-\d\d\): `promgate init` renews it$/);
  expect(certificateWarnings(config, end - DAY_MS)[0]).toContain('ends in 1 day (');
  expect(certificateWarnings(config, end)[0]).toContain('ended on ');
});

it('says that the CA of the clients ends', async () => {
  await fixture.init();
  const warnings = certificateWarnings(await load(), fixture.certificate('ca').notAfter - DAY_MS);
  expect(warnings).toHaveLength(2);
  expect(warnings[1]).toContain('the client CA O=promgate, CN=promgate CA site-a ends in 1 day');
});

it('does not promise to renew what another CA issued, nor to know its names', async () => {
  const foreign = createAuthority();
  try {
    await fixture.init();
    const { cert, key } = foreign.issue({ name: 'localhost', sans: ['DNS:localhost'] });
    writeFileSync(fixture.path('certs/server.crt'), cert);
    writeFileSync(fixture.path('certs/server.key'), key);
    const config = await load();
    expect(certificateWarnings(config, Date.now())[0]).toContain('renew it where it came from');
    expect(addressWarnings(config, { eth0: [interfaceInfo('192.0.2.8')] })).toEqual([]);
  } finally {
    foreign.remove();
  }
});

it('names addresses that the certificate lacks, in one line with the way out', async () => {
  await fixture.init();
  const config = await load();
  const known = [interfaceInfo('127.0.0.1', true), interfaceInfo('192.0.2.7'), interfaceInfo('2001:db8::abcd')];
  expect(addressWarnings(config, { eth0: known })).toEqual([]);
  const [line, ...more] = addressWarnings(config, {
    eth0: [...known, interfaceInfo('192.0.2.8'), interfaceInfo('10.0.0.1')],
  });
  expect(line).toContain('server.crt does not name 192.0.2.8, 10.0.0.1: ');
  expect(line).toContain('`promgate init --renew`');
  expect(more).toEqual([]);
});

it('a gate on chosen addresses does not follow the host', async () => {
  await fixture.init();
  writeFileSync(fixture.path('promgate.yml'), fixture.text('promgate.yml').replace('":9095"', '"127.0.0.1:9095"'));
  expect(addressWarnings(await load(), { eth0: [interfaceInfo('192.0.2.8')] })).toEqual([]);
});

it('hints at a Prometheus while the only upstream is self', async () => {
  await fixture.init();
  const config = await load();
  expect(await selfUpstreamHint(config, () => Promise.resolve(true))).toContain('http://127.0.0.1:9090');
  expect(await selfUpstreamHint(config, () => Promise.resolve(false))).toBeNull();
});

it('asks nobody when there is another upstream', async () => {
  fixture.machine.hasPrometheus = true;
  await fixture.init();
  const probe = () => Promise.reject(new Error('asked'));
  expect(await selfUpstreamHint(await load(), probe)).toBeNull();
});
