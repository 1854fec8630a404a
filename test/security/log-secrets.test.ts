/**
 * The attack: whoever can read the log (a log collector, a support ticket) finds in it a password, a private key or a
 * token that somebody logged by accident: a whole header map, an error that repeats a URL, a line of an htpasswd file.
 */
import { describe, expect, it } from 'vitest';
import { createLog, type LogFormat } from '../../src/observe/log.ts';

const PASSWORD = 'tr0ub4dor';
const BASIC = Buffer.from(`prom:${PASSWORD}`).toString('base64');
const PEM = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIeLVdN\nAAAA\n-----END EC PRIVATE KEY-----\n';
const HASH = '$2y$10$abcdefghijklmnopqrstuv';

function written(format: LogFormat, fields: object, message: string): string {
  let text = '';
  const destination = { write: (line: string) => (text += line) };
  createLog({ level: 'debug', format, destination }).error(fields, message);
  return text;
}

describe.each(['json', 'logfmt'] as const)('a line of %s', (format) => {
  it.each([
    ['an Authorization header', { headers: { Authorization: `Basic ${BASIC}` } }],
    ['a header list', { headers: ['authorization', `Basic ${BASIC}`] }],
    ['a list of texts', { failed: ['x', `http://prom:${PASSWORD}@gate/`, `Basic ${BASIC}`] }],
    ['a cookie', { cookie: PASSWORD, 'set-cookie': [PASSWORD] }],
    ['a password by its name, deep inside', { a: { b: [{ password: PASSWORD }] } }],
    [
      'names in other spellings',
      { PassWord: PASSWORD, private_key: PASSWORD, 'Proxy-Authorization': PASSWORD, key: PASSWORD },
    ],
    ['a key that is no text', { key: Buffer.from(PASSWORD), token: { value: PASSWORD } }],
    ['a map that is too deep', { a: { b: { c: { d: { e: { f: PASSWORD } } } } } }],
    ['a URL with a password', { err: new Error(`connect to http://prom:${PASSWORD}@10.0.0.1:9090/ failed`) }],
    ['an error that repeats a header', { err: new Error(`invalid header: basic ${BASIC}`) }],
  ])('does not show %s', (_, fields) => {
    const text = written(format, fields, 'x');
    expect(text).not.toContain(PASSWORD);
    expect(text).not.toContain(BASIC);
    expect(text).toContain('msg');
  });

  it.each([
    ['a private key', PEM, 'MHcCAQEE'],
    ['half a private key', PEM.slice(0, 50), 'MHcCAQEE'],
    ['a bearer token', 'sent Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc', 'eyJhbGci'],
    ['a bcrypt hash', `line 3: prom:${HASH}`, 'abcdefgh'],
    ['an apr1 hash', 'prom:$apr1$salt1234$0123456789abcdefghijkl', '0123456789'],
    ['a SHA hash', 'prom:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', 'W6ph5Mm5'],
  ])('does not show %s in its message', (_, message, secret) => {
    expect(written(format, {}, message)).not.toContain(secret);
    expect(written(format, { err: new Error(message) }, 'x')).not.toContain(secret);
  });

  it('still says what is no secret', () => {
    const text = written(
      format,
      { hash: 'abcdef012345', detail: 'not a well-formed Basic credential' },
      'Bearer of news',
    );
    for (const kept of ['abcdef012345', 'Basic credential', 'Bearer of news']) expect(text).toContain(kept);
  });
});

it('stays valid JSON after a value was censored', () => {
  const text = written('json', { err: new Error(`${PEM} "quoted" http://a:b@c`), after: 1 }, PEM);
  expect(JSON.parse(text)).toMatchObject({ after: 1, level: 'error' });
});
