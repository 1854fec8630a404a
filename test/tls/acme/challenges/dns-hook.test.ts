/** dns-01 by a program of the operator: what it is told, and a wildcard certificate that a real CA gives for it. */
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDnsHookAnswerer } from '../../../../src/tls/acme/challenges/dns-hook.ts';
import { AcmeFailure, ENDING_MS } from '../../../../src/tls/acme/contract.ts';
import { poll } from '../../../support/poll.ts';
import { startPebble } from '../../../support/pebble.ts';
import { createTestIssuer, hookPorts, hurriedClock } from '../../../support/acme-orders.ts';
import { createHookDirectory, dnsChallenge, type HookDirectory } from '../../../support/dns-hook.ts';

let hooks: HookDirectory;
let directory: string;
beforeEach(async () => {
  hooks = await createHookDirectory();
  directory = hooks.path;
});
afterEach(async () => {
  await hooks.remove();
});
/** base64url(SHA-256("tok.thumb")), by openssl. */
const VALUE = 'sYAwVrqDtVOuJZvAHurSAYPoEt5fFV_C4bdSOOW-o5Y';

describe('the dns-01 hook', () => {
  it('gets action, domain, record and value as arguments and in its environment, first present, then cleanup', async () => {
    const log = join(directory, 'log');
    const program = await hooks.hook(
      `printf '%s|' "$@" >> ${log}; env | grep ^PROMGATE_ | sort | tr '\\n' ';' >> ${log}; echo >> ${log}`,
    );
    const remove = await createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts).present(
      dnsChallenge('a.example.com'),
    );
    await remove();
    const line = (action: string): string =>
      `${action}|a.example.com|_acme-challenge.a.example.com|${VALUE}|` +
      `PROMGATE_DNS_ACTION=${action};PROMGATE_DNS_DOMAIN=a.example.com;` +
      `PROMGATE_DNS_RECORD_NAME=_acme-challenge.a.example.com;PROMGATE_DNS_VALUE=${VALUE};`;
    expect((await readFile(log, 'utf8')).trimEnd().split('\n')).toEqual([line('present'), line('cleanup')]);
  });

  it('never runs twice at the same time', async () => {
    const log = join(directory, 'log');
    const program = await hooks.hook(
      `mkdir ${directory}/busy || { echo overlap >> ${log}; exit 1; }; sleep 0.1; rmdir ${directory}/busy`,
    );
    const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts);
    const removals = await Promise.all(
      ['a', 'b', 'c'].map((name) => answerer.present(dnsChallenge(`${name}.example.com`))),
    );
    await Promise.all(removals.map((remove) => remove()));
    await expect(readFile(log, 'utf8')).rejects.toThrow(/ENOENT/);
  });

  it('that fails is told with its own words, and cleaned up after', async () => {
    const log = join(directory, 'log');
    const program = await hooks.hook(`echo "$1" >> ${log}; echo 'no such zone' >&2; exit 3`);
    await expect(
      createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts).present(dnsChallenge('a.example.com')),
    ).rejects.toMatchObject({
      kind: 'challenge',
      message: expect.stringMatching(/present a\.example\.com\) failed with code 3: no such zone/),
    });
    expect(await readFile(log, 'utf8')).toBe('present\ncleanup\n');
  });

  it('that is not there is told', async () => {
    const answerer = createDnsHookAnswerer({ hook: join(directory, 'gone'), propagationMs: 0 }, hookPorts);
    await expect(answerer.present(dnsChallenge('a.example.com'))).rejects.toThrow(/cannot be started: ENOENT/);
  });

  it('is killed when the order is ended, and cleaned up after, within seconds', async () => {
    const log = join(directory, 'log');
    const program = await hooks.hook(`echo "$1" >> ${log}; [ "$1" = cleanup ] || sleep 300`);
    const controller = new AbortController();
    const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts);
    const presented = ['a', 'b'].map((name) =>
      answerer.present(dnsChallenge(`${name}.example.com`), controller.signal).then(
        () => expect.unreachable(),
        (error: unknown) => error,
      ),
    );
    await poll('the program runs', async () => (await readFile(log, 'utf8')) !== '');
    const ended = performance.now();
    controller.abort();
    expect(await Promise.all(presented)).toMatchObject([
      { kind: 'timeout', message: expect.stringContaining('was not done when the order was ended and was killed') },
      { kind: 'timeout', message: expect.stringContaining('was not run: the order was ended') },
    ]);
    expect(performance.now() - ended).toBeLessThan(ENDING_MS + 3_000);
    // What never began needs no cleaning up.
    expect(await readFile(log, 'utf8')).toBe('present\ncleanup\n');
  });

  it('is not waited for to spread when the order is ended', async () => {
    const log = join(directory, 'log');
    const program = await hooks.hook(`echo "$1" >> ${log}`);
    const controller = new AbortController();
    const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 3_600_000 }, hookPorts);
    const presented = answerer.present(dnsChallenge('a.example.com'), controller.signal);
    presented.catch(() => undefined);
    await poll('the program has run', async () => (await readFile(log, 'utf8')) === 'present\n');
    controller.abort(new AcmeFailure('timeout', 'the gate ends'));
    await expect(presented).rejects.toThrow('the gate ends');
    expect(await readFile(log, 'utf8')).toBe('present\ncleanup\n');
  });

  it('that hangs in its cleanup has a few seconds once the order is ended', async () => {
    const program = await hooks.hook(`[ "$1" = present ] || sleep 300`);
    const controller = new AbortController();
    const ports = { ...hookPorts, clock: hurriedClock(20) };
    const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 0, deadlineMs: 3_600_000 }, ports);
    const removals = [
      await answerer.present(dnsChallenge('a.example.com'), controller.signal),
      await answerer.present(dnsChallenge('b.example.com'), controller.signal),
    ];
    const started = performance.now();
    const removed = Promise.allSettled(removals.map((remove) => remove()));
    controller.abort();
    // Together, however many there are.
    expect(await removed).toMatchObject([{ reason: { kind: 'timeout' } }, { reason: { kind: 'timeout' } }]);
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  it('wins a certificate for a name and its wildcard, which share one record', async () => {
    const pebble = await startPebble();
    try {
      const spool = join(directory, 'spool');
      await writeFile(spool, '');
      // The hook only writes down what is asked for; the test's DNS server answers from it.
      const program = await hooks.hook(`echo "$1 $3 $4" >> ${spool}`);
      const issuer = createTestIssuer({
        type: 'dns-01',
        answerer: {
          async present(wanted) {
            const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 10 }, hookPorts);
            const remove = await answerer.present(wanted);
            for (const line of (await readFile(spool, 'utf8')).trim().split('\n')) {
              const [action, name, value] = line.split(' ');
              const values = pebble.dns.txt.get(name!) ?? [];
              if (action === 'present' && !values.includes(value!)) pebble.dns.txt.set(name!, [...values, value!]);
            }
            return remove;
          },
        },
      });
      const { cert } = await issuer.order(pebble.directory, { names: ['w.example.com', '*.w.example.com'] });
      const names = new X509Certificate(cert).subjectAltName?.split(', ').toSorted();
      expect(names).toEqual(['DNS:*.w.example.com', 'DNS:w.example.com']);
      const lines = (await readFile(spool, 'utf8')).trim().split('\n');
      expect(lines.filter((line) => line.startsWith('present '))).toHaveLength(2);
      expect(lines.filter((line) => line.startsWith('cleanup '))).toHaveLength(2);
      expect(new Set(lines.map((line) => line.split(' ')[1]))).toEqual(new Set(['_acme-challenge.w.example.com']));
    } finally {
      await pebble.stop();
    }
  });
});
