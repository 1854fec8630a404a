import { copyFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keyMatches } from '../../src/formats/x509.ts';
import { createAuthority } from '../support/certificates.ts';
import { createInitFixture, DAY_MS } from './init-fixture.ts';
import type { InitFixture } from './init-fixture.ts';

let fixture: InitFixture;

beforeEach(async () => {
  fixture = createInitFixture();
  await fixture.init();
});

afterEach(() => {
  fixture.remove();
});

/** The names of the files that a step changed. */
async function changed(step: () => Promise<unknown>): Promise<string[]> {
  const before = fixture.snapshot();
  await step();
  const after = fixture.snapshot();
  return Object.keys(after).filter((name) => after[name] !== before[name]);
}

const OWN = ['certs/prometheus.crt', 'certs/server.crt'];

it('renews own certificates in their last 30 days, for the same keys, and once', async () => {
  fixture.clock.advance(366 * DAY_MS);
  expect((await changed(() => fixture.init())).sort()).toEqual(['certs/ca-index.json', 'certs/ca.crl']);
  fixture.clock.advance(2 * DAY_MS);
  expect((await changed(() => fixture.init())).sort()).toEqual(OWN);
  for (const name of ['server', 'prometheus']) {
    expect(fixture.certificate(name).notAfter).toBe(fixture.clock.now() + 397 * DAY_MS);
    expect(keyMatches(fixture.text('certs', `${name}.crt`), fixture.text('certs', `${name}.key`)).ok).toBe(true);
  }
  expect(await changed(() => fixture.init())).toEqual([]);
});

it('renews own certificates that have ended, and says so', async () => {
  fixture.clock.advance(500 * DAY_MS);
  const { code, terminal } = await fixture.init();
  expect(code).toBe(0);
  expect(terminal.stderr).toContain(`promgate: renewed ${fixture.path('certs/server.crt')}`);
  expect(fixture.certificate('server').notAfter).toBeGreaterThan(fixture.clock.now());
});

it('a renewal before the end takes no name away, --renew does', async () => {
  fixture.machine.addresses = ['198.51.100.9'];
  fixture.clock.advance(380 * DAY_MS);
  await fixture.init();
  expect(fixture.certificate('server').sans.ip).toEqual(
    expect.arrayContaining(['127.0.0.1', '::1', '192.0.2.7', '2001:db8::7', '198.51.100.9']),
  );
  await fixture.init({ renew: true });
  expect(fixture.certificate('server').sans.ip).toEqual(['127.0.0.1', '::1', '198.51.100.9']);
  expect(fixture.certificate('server').sans.dns).toEqual(['localhost', 'site-a']);
});

it('changed addresses are a warning with the way out; --renew takes them in', async () => {
  fixture.machine.addresses = ['192.0.2.7', '192.0.2.8', '2001:db8::ffff'];
  let warning = '';
  const look = async (): Promise<void> => {
    warning = (await fixture.init()).terminal.stderr[0] ?? '';
  };
  expect(await changed(look)).toEqual([]);
  expect(warning).toBe(
    `promgate: warning: ${fixture.path('certs/server.crt')} does not name 192.0.2.8: \`promgate init --renew\` issues it anew`,
  );
  expect((await changed(() => fixture.init({ renew: true }))).sort()).toEqual(OWN);
  expect(fixture.certificate('server').sans.ip).toContain('192.0.2.8');
  await look();
  expect(warning).toBe('promgate: everything is there, nothing was changed');
});

it('never touches a certificate of another CA, with --renew or near its end', async () => {
  const foreign = createAuthority();
  try {
    const { certFile, keyFile } = foreign.issue({ name: 'site-a', sans: ['DNS:site-a'] });
    copyFileSync(certFile, fixture.path('certs/server.crt'));
    copyFileSync(keyFile, fixture.path('certs/server.key'));
    expect(await changed(() => fixture.init({ renew: true }))).toEqual(['certs/prometheus.crt']);
    const { terminal } = await fixture.init();
    expect(terminal.stderr[0]).toMatch(/server\.crt ends in \d days? /);
    expect(terminal.stderr[0]).toContain('renew it where it came from');
  } finally {
    foreign.remove();
  }
});

it('near the end of the CA it warns, and does not renew again and again', async () => {
  const end = fixture.certificate('ca').notAfter;
  fixture.clock.advance(end - fixture.clock.now() - 20 * DAY_MS);
  await fixture.init();
  expect(fixture.certificate('server').notAfter).toBe(end);
  let terminal = '';
  expect(await changed(async () => (terminal = (await fixture.init()).terminal.all()))).toEqual([]);
  expect(terminal).toContain('ca.crt ends in 20 days');
});

it('when the CA has ended it says what to do, and issues nothing', async () => {
  fixture.clock.advance(fixture.certificate('ca').notAfter - fixture.clock.now() + DAY_MS);
  let terminal = '';
  expect(await changed(async () => (terminal = (await fixture.init({ renew: true })).terminal.all()))).toEqual([]);
  expect(terminal).toMatch(/ca\.crt ended on \d{4}-\d\d-\d\d: .*init again/);
});
