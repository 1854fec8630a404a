/**
 * deploy/fail2ban: the expressions against what the gate's own log writes, behind every prefix that the page promises.
 * fail2ban's part is done here as fail2ban 1.0 does it: the first time of the line is taken out, the rest is matched, and
 * `<HOST>` is an address; the real fail2ban-regex says the same of the same lines.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { escapeForeign } from '../../src/lib/foreign-text.ts';
import { createLog, LOG_FORMATS } from '../../src/observe/log.ts';
import { findProgram } from '../support/programs.ts';

const FOLDER = join(import.meta.dirname, '../../deploy/fail2ban');
const FILTER = join(FOLDER, 'filter.d/promgate.conf');
const filter = readFileSync(FILTER, 'utf8');
const jail = readFileSync(join(FOLDER, 'jail.d/promgate.conf'), 'utf8');
const page = readFileSync(join(import.meta.dirname, '../../docs/fail2ban.md'), 'utf8');
const expressions = (/failregex = ([^]*?)\nignoreregex/.exec(filter)?.[1] ?? '')
  .split('\n')
  .map((text) => new RegExp(text.trim().replace('<HOST>', '(?<host>[0-9a-fA-F.:]+)')));

const USERS = ['prom', '', 'a b', 'x="y"', 'back\\slash', 'é\n<b>&', `" address=203.0.113.66 msg="login failed"`];
const FORGED = '203.0.113.66';
const time = '2026-11-21T10:00:00.000Z';

/** As Docker's json-file driver writes: Go's JSON, which escapes what HTML would read. */
const inJson = (text: string): string =>
  JSON.stringify(text).replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);

const PREFIXES: Readonly<Record<string, (line: string) => string>> = {
  'a plain file': (line) => line,
  'the journal': (line) => `gate.example.com promgate[4711]: ${line}`,
  syslog: (line) => `Nov 21 10:00:00 host promgate[12]: ${line}`,
  'syslog with RFC 3339 times': (line) => `2026-11-21T10:00:00.000123+00:00 host promgate[12]: ${line}`,
  'syslog as RFC 5424 writes it': (line) => `<12>1 ${time} host promgate 12 - - ${line}`,
  'docker compose': (line) => `promgate-1  | ${line}`,
  'CRI, of Kubernetes': (line) => `2026-11-21T10:00:00.000456789Z stderr F ${line}`,
  'kubectl logs --timestamps': (line) => `${time} ${line}`,
  'the json-file of Docker': (line) => `{"log":${inJson(`${line}\n`)},"stream":"stderr","time":"${time}"}`,
};

const FIRST_TIME = /\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)|[A-Z][a-z]{2} [ \d]\d [\d:]{8}/;

function hits(line: string): string[] {
  const rest = line.replace(FIRST_TIME, '');
  return expressions.flatMap((expression) => expression.exec(rest)?.groups?.['host'] ?? []);
}

function written(format: (typeof LOG_FORMATS)[number], fields: object, message = 'login failed'): string {
  let text = '';
  const clock = { now: () => Date.parse(time), monotonic: () => 0 } as never;
  const log = createLog({ level: 'info', format, clock, destination: { write: (chunk) => (text += chunk) } });
  log.warn(fields, message);
  return text.trimEnd();
}

const failure = (user: string, more: object = {}, address = '192.0.2.1') => {
  return { address, reason: 'credentials_wrong', repeat: false, ...more, user: escapeForeign(user) };
};
const matching = LOG_FORMATS.flatMap((format) =>
  USERS.flatMap((user) =>
    [{}, { locks: 'user' }, { locks: 'address' }].map((more) => written(format, failure(user, more))),
  ),
).concat(LOG_FORMATS.map((format) => written(format, failure('prom', {}, '2001:db8::7'))));
const others = LOG_FORMATS.flatMap((format) => [
  written(format, { ...failure('prom'), repeat: true }),
  written(format, { ...failure('prom'), reason: 'locked_out' }),
  written(format, failure('prom'), 'request refused'),
  // A stranger who types a whole line, in every way that the page reads, into a path or an agent.
  ...Object.values(PREFIXES).flatMap((prefix) =>
    LOG_FORMATS.map((forged) => {
      const user = escapeForeign(prefix(written(forged, failure('x', {}, FORGED))));
      return written(format, { address: '192.0.2.1', path: user, userAgent: user }, 'request');
    }),
  ),
]);

it.each(Object.entries(PREFIXES))('finds each failed login once in %s, and nothing else', (_name, prefix) => {
  for (const line of matching) {
    expect(hits(prefix(line)), prefix(line)).toEqual([line.includes('2001:db8::7') ? '2001:db8::7' : '192.0.2.1']);
  }
  for (const line of others) expect(hits(prefix(line)), prefix(line)).toEqual([]);
});

it('a name that holds a whole line in any of these forms is one match, with the true address', () => {
  for (const forge of Object.values(PREFIXES)) {
    for (const forged of LOG_FORMATS) {
      const user = forge(written(forged, failure('x', {}, FORGED)));
      for (const format of LOG_FORMATS) {
        for (const prefix of Object.values(PREFIXES)) {
          // Neither cut nor escaped before: the format alone keeps it in its place.
          expect(hits(prefix(written(format, { ...failure(''), user })))).toEqual(['192.0.2.1']);
        }
      }
    }
  }
});

it('fail2ban-regex itself says the same of the same lines', () => {
  const program = findProgram('fail2ban-regex');
  // Unpacked, it stands beside its modules and outside of Python's own path; installed, this adds nothing.
  const modules = join(dirname(program), '../lib/python3/dist-packages');
  const folder = mkdtempSync(join(tmpdir(), 'promgate-fail2ban-'));
  try {
    for (const [name, prefix] of Object.entries(PREFIXES)) {
      const file = join(folder, 'log');
      writeFileSync(file, `${[...matching, ...others].map(prefix).join('\n')}\n`);
      const told = execFileSync(findProgram('python3'), [program, '--config', folder, file, FILTER], {
        encoding: 'utf8',
        env: { ...process.env, PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1' },
      });
      const [, matched, missed] = /(\d+) matched, (\d+) missed/.exec(told) ?? [];
      expect([matched, missed], name).toEqual([String(matching.length), String(others.length)]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('is what the page shows, and the jail closes every port', () => {
  const settings = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  for (const line of settings(filter).filter((text) => !text.startsWith('journalmatch'))) expect(page).toContain(line);
  for (const line of settings(jail)) expect(page).toContain(line);
  expect(jail).toContain('banaction = %(banaction_allports)s');
  expect(filter).toContain('_SYSTEMD_UNIT=promgate.service');
  const [retries = 0, minutes = 0] = [/maxretry = (\d+)/, /findtime = (\d+)m/].map((one) =>
    Number(one.exec(jail)?.[1]),
  );
  expect(retries).toBeGreaterThan(minutes);
});
