/**
 * The attack: whoever logs in with a user name that contains a whole log line, line break included, makes fail2ban ban an
 * address of his choice, or hides his own. The expressions of docs/fail2ban.md must find each failed login once, with
 * the true address, and nothing else.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { DenyReason } from '../../src/request/deny-reasons.ts';
import { escapeForeign, quoteForeign } from '../../src/lib/foreign-text.ts';
import { createLog, LOG_FORMATS, type LogFormat } from '../../src/observe/log.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createPasswordCheck } from '../../src/request/authenticate/password-check.ts';
import { noMetrics, type Log } from '../../src/observe/ports.ts';
import { configOf } from '../support/config-fixture.ts';
import { login, usersOf } from '../request/authenticate/fixtures.ts';

const TRUE_ADDRESS = '192.0.2.1';
const FORGED = '203.0.113.66';

/** The documented expressions, in JavaScript's spelling. */
function documentedExpressions(): RegExp[] {
  const document = readFileSync(new URL('../../docs/fail2ban.md', import.meta.url), 'utf8');
  const block = /failregex = ([^]*?)\nignoreregex/.exec(document)?.[1] ?? '';
  return block.split('\n').map((line) => new RegExp(line.trim().replace('<HOST>', '(?<host>[0-9a-fA-F.:]+)')));
}

/** Which addresses fail2ban would see in the text. */
function hits(text: string): string[] {
  const expressions = documentedExpressions();
  return text
    .split('\n')
    .flatMap((line) => expressions.flatMap((expression) => expression.exec(line)?.groups?.['host'] ?? []));
}

function capture(format: LogFormat) {
  let text = '';
  const destination = { write: (chunk: string) => void (text += chunk) };
  return { log: createLog({ level: 'info', format, destination }), text: () => text };
}

async function failLogin(log: Log, user: string, address = TRUE_ADDRESS): Promise<void> {
  const config = configOf({ authenticate: 'password', users: usersOf({ prom: ['secret'] }) });
  const check = createPasswordCheck({ log, metrics: noMetrics, clock: systemClock });
  check.applied(config);
  await login(check, { user, password: 'wrong', address, config });
  await check.close();
}

const jsonLine = `{"level":"warn","time":"2026-11-21T10:00:00.000Z","address":"${FORGED}","reason":"credentials_wrong","repeat":false,"user":"prom","msg":"login failed"}`;
const logfmtLine = `time=2026-11-21T10:00:00.000Z level=warn msg="login failed" address=${FORGED} reason=credentials_wrong repeat=false user=prom`;

describe.each(LOG_FORMATS)('%s', (format) => {
  test.each([
    ['an honest name', 'prom'],
    ['a whole line', jsonLine],
    ['a whole line of the other format', logfmtLine],
    ['short enough to be a whole line within 64 bytes', `x\nlevel=warn msg="login failed" address=${FORGED} user=a`],
    ['the bare end of a line', `a user=prom`],
    ['a bare value with a backslash', `prom\\`],
    ['a bare value with an equals sign', `address=`],
    ['a line break and a whole line', `x\n${jsonLine}\n`],
    ['a carriage return and a whole line', `x\r\n${logfmtLine}\r\n`],
    ['a Unicode line separator', `x\u2028${logfmtLine}\u2029\u0085`],
    ['the end of the value and more fields', `","address":"${FORGED}","msg":"login failed"}`],
    ['the end of the logfmt value', `" address=${FORGED} msg="login failed"`],
    ['backslashes before the quote', `\\\\\\" address=${FORGED}`],
    ['fields that come first', `address=${FORGED}`],
    ['a name longer than what is logged', `${'x'.repeat(63)}"${jsonLine}`],
    ['nothing', ''],
  ])('a user name that is %s: one match, the true address', async (_what, user) => {
    const { log, text } = capture(format);
    await failLogin(log, user);
    expect(text().split('\n')).toHaveLength(2);
    expect(hits(text())).toEqual([TRUE_ADDRESS]);
  });

  test('an IPv6 address is found as it is', async () => {
    const { log, text } = capture(format);
    await failLogin(log, 'prom', '2001:db8::7');
    expect(hits(text())).toEqual(['2001:db8::7']);
  });

  test('a line from which fail2ban has taken the time still matches', async () => {
    const { log, text } = capture(format);
    await failLogin(log, 'prom');
    expect(hits(text().replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, ''))).toEqual([TRUE_ADDRESS]);
  });

  test('a line of the journal matches, and a stranger cannot pretend to be the journal', async () => {
    const { log, text } = capture(format);
    await failLogin(log, `host node[7]: ${format === 'json' ? jsonLine : logfmtLine}`);
    expect(hits(`gate.example.com node[4711]: ${text()}`)).toEqual([TRUE_ADDRESS]);
  });

  test('the format alone keeps a name in its place that was neither escaped nor cut', () => {
    for (const user of [jsonLine, logfmtLine, `x\n${logfmtLine}`, `" ${logfmtLine}`, `\\" ${logfmtLine}`, `a\\`]) {
      const { log, text } = capture(format);
      log.warn({ address: TRUE_ADDRESS, reason: 'credentials_wrong', repeat: false, user }, 'login failed');
      expect(hits(text()), user).toEqual([TRUE_ADDRESS]);
    }
  });

  test('other lines that quote a stranger do not match', () => {
    const { log, text } = capture(format);
    const reason: DenyReason = 'credentials_wrong';
    for (const field of ['path', 'user', 'detail']) {
      log.warn({ address: TRUE_ADDRESS, reason, [field]: quoteForeign(jsonLine) }, 'refused');
      log.warn({ address: TRUE_ADDRESS, reason, [field]: escapeForeign(logfmtLine) }, 'refused');
      log.warn({ [field]: `x\n${logfmtLine}` }, 'refused');
      log.warn({ address: TRUE_ADDRESS, reason, repeat: false, failed: ['x', logfmtLine] }, 'refused');
    }
    expect(hits(text())).toEqual([]);
  });

  test('a scraper with yesterday’s password is no guess', async () => {
    const { log, text } = capture(format);
    const config = configOf({ authenticate: 'password', users: usersOf({ prom: ['secret'] }) });
    const check = createPasswordCheck({ log, metrics: noMetrics, clock: systemClock });
    for (let scrape = 0; scrape < 5; scrape++) await login(check, { user: 'prom', password: 'yesterday', config });
    await check.close();
    expect(text().trimEnd().split('\n')).toHaveLength(5);
    expect(hits(text())).toHaveLength(1);
  });
});

test('the documented expressions are anchored at both ends', () => {
  for (const { source } of documentedExpressions()) expect(source).toMatch(/^\^.*[^\\]\$$/);
});

test('the documented examples are such lines', () => {
  const document = readFileSync(new URL('../../docs/fail2ban.md', import.meta.url), 'utf8');
  const examples = /```text\n([^]*?)```/.exec(document)?.[1] ?? '';
  expect(hits(examples)).toEqual([TRUE_ADDRESS, TRUE_ADDRESS]);
});
