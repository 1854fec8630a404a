/** `cert renew --dry-run`: a whole order at the staging directory, of which nothing is left and nothing is served. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createAcmeService } from '../../src/cli/acme/service.ts';
import type { AcmeService } from '../../src/cli/acme/service.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { AcmeSettings } from '../../src/tls/acme/contract.ts';
import { recordingLog } from '../observe/recording-log.ts';
import { noAcmeMetrics, settingsOf } from '../support/acme-renewals.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';

let pebble: Pebble;
let directory: string;
let changes: number;
let services: AcmeService[];
beforeAll(async () => {
  pebble = await startPebble();
});
afterAll(async () => {
  await pebble.stop();
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'acme-rehearsal-'));
  [changes, services] = [0, []];
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.close()));
  rmSync(directory, { recursive: true });
});

async function make(some: Partial<AcmeSettings> = {}): Promise<AcmeService> {
  const settings = settingsOf({
    directories: [{ url: 'https://127.0.0.1:1/directory', name: 'real', ca: null, externalAccount: null }],
    staging: pebble.directory,
    challenge: { kind: 'http-01', listen: `127.0.0.1:${pebble.httpPort}` },
    stateDirectory: join(directory, 'acme'),
    ...some,
  });
  const service = await createAcmeService(settings, {
    clock: systemClock,
    log: recordingLog(),
    metrics: noAcmeMetrics,
    onChange: () => (changes += 1),
  });
  services.push(service);
  return service;
}

const files = (): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(directory, 'acme')).map((name) => [name, readFileSync(join(directory, 'acme', name), 'utf8')]),
  );

it('goes through every step and tells them, without a state directory', async () => {
  const steps: string[] = [];
  await (await make()).rehearse(null, (step) => steps.push(step));
  expect([...new Set(steps)]).toEqual(['account', 'order', 'challenge', 'validation', 'issue', 'issued', 'done']);
  expect(existsSync(join(directory, 'acme'))).toBe(false);
});

it('changes nothing on disk and nothing that is served where there is a certificate', async () => {
  const real = await make({ directories: [pebble.directory], staging: null });
  await real.manager.open();
  await real.renew(null, () => undefined);
  await real.close();

  const service = await make();
  await service.manager.open();
  const [before, served] = [files(), service.manager.pairs()];
  expect(Object.keys(before)).toHaveLength(3);
  await service.rehearse('gate.example.com', () => undefined);
  expect(files()).toEqual(before);
  expect(service.manager.pairs()).toEqual(served);
  expect(changes).toBe(0);
});

it('fails with the words of the staging directory, and leaves nothing either', async () => {
  pebble.dns.missing.add('gone.example.com');
  const service = await make({ certificates: [{ names: ['gone.example.com'], keyType: 'p256', profile: null }] });
  await expect(service.rehearse(null, () => undefined)).rejects.toMatchObject({ kind: 'challenge' });
  expect(existsSync(join(directory, 'acme'))).toBe(false);
});

it('fails where the CA has no staging directory: it says what would be asked, and that nothing was', async () => {
  const told: string[] = [];
  const tried = (await make({ staging: null })).rehearse(null, (step, detail) => told.push(`${step}: ${detail}`));
  await expect(tried).rejects.toMatchObject({
    code: 'REHEARSAL_IMPOSSIBLE',
    message: 'nothing was asked, and nothing is proved: real has no staging directory',
  });
  expect(told).toEqual(['plan: would order gate.example.com (p256) from real']);
});

it('asks a staging directory that is the only one', async () => {
  const steps: string[] = [];
  const directories = [{ ...pebble.directory, name: 'letsencrypt-staging' }];
  await (await make({ directories, staging: null })).rehearse(null, (step) => steps.push(step));
  expect(steps.at(-1)).toBe('done');
});
