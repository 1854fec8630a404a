/** dns-01 by a program of the operator: what it is told, and a wildcard certificate that a real CA gives for it. */
import { X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDnsHookAnswerer } from '../../../../src/tls/acme/challenges/dns-hook.ts';
import { startPebble } from '../../../support/pebble.ts';
import { createTestIssuer, hookPorts } from '../order-fixture.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'promgate-hook-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function hook(script: string): Promise<string> {
  const file = join(directory, 'hook');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

const challenge = (identifier: string) => ({ type: 'dns-01', identifier, token: 'tok', keyAuthorization: 'tok.thumb' });
/** base64url(SHA-256("tok.thumb")), by openssl. */
const VALUE = 'sYAwVrqDtVOuJZvAHurSAYPoEt5fFV_C4bdSOOW-o5Y';

describe('the dns-01 hook', () => {
  it('gets action, domain, record and value as arguments and in its environment, first present, then cleanup', async () => {
    const log = join(directory, 'log');
    const program = await hook(
      `printf '%s|' "$@" >> ${log}; env | grep ^PROMGATE_ | sort | tr '\\n' ';' >> ${log}; echo >> ${log}`,
    );
    const remove = await createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts).present(
      challenge('a.example.com'),
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
    const program = await hook(
      `mkdir ${directory}/busy || { echo overlap >> ${log}; exit 1; }; sleep 0.1; rmdir ${directory}/busy`,
    );
    const answerer = createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts);
    const removals = await Promise.all(
      ['a', 'b', 'c'].map((name) => answerer.present(challenge(`${name}.example.com`))),
    );
    await Promise.all(removals.map((remove) => remove()));
    await expect(readFile(log, 'utf8')).rejects.toThrow(/ENOENT/);
  });

  it('that fails is told with its own words, and cleaned up after', async () => {
    const log = join(directory, 'log');
    const program = await hook(`echo "$1" >> ${log}; echo 'no such zone' >&2; exit 3`);
    await expect(
      createDnsHookAnswerer({ hook: program, propagationMs: 0 }, hookPorts).present(challenge('a.example.com')),
    ).rejects.toMatchObject({
      kind: 'challenge',
      message: expect.stringMatching(/present a\.example\.com\) failed with code 3: no such zone/),
    });
    expect(await readFile(log, 'utf8')).toBe('present\ncleanup\n');
  });

  it('that is not there is told', async () => {
    const answerer = createDnsHookAnswerer({ hook: join(directory, 'gone'), propagationMs: 0 }, hookPorts);
    await expect(answerer.present(challenge('a.example.com'))).rejects.toThrow(/cannot be started: ENOENT/);
  });

  it('wins a certificate for a name and its wildcard, which share one record', async () => {
    const pebble = await startPebble();
    try {
      const spool = join(directory, 'spool');
      await writeFile(spool, '');
      // The hook only writes down what is asked for; the test's DNS server answers from it.
      const program = await hook(`echo "$1 $3 $4" >> ${spool}`);
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
