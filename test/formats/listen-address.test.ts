import { expect, it } from 'vitest';
import { parseListenAddress } from '../../src/formats/listen-address.ts';

it.each([
  [':9095', null, 9095],
  ['*:9095', null, 9095],
  ['127.0.0.1:9095', '127.0.0.1', 9095],
  ['0.0.0.0:0', '0.0.0.0', 0],
  ['[::1]:9095', '::1', 9095],
  ['[::]:65535', '::', 65535],
  ['[fe80::1%eth0]:9095', 'fe80::1%eth0', 9095],
  ['localhost:9095', 'localhost', 9095],
  ['a-b.example.com.:80', 'a-b.example.com.', 80],
])('reads %s', (text, host, port) => {
  expect(parseListenAddress(text)).toEqual({ ok: true, value: { kind: 'tcp', host, port, text } });
});

it('reads the path of a unix socket', () => {
  const text = 'unix:/run/promgate/admin.sock';
  expect(parseListenAddress(text)).toEqual({
    ok: true,
    value: { kind: 'unix', path: '/run/promgate/admin.sock', text },
  });
});

it.each([
  ['9095', 'did you mean ":9095"?'],
  ['localhost', 'did you mean "localhost:9095"?'],
  ['::1', 'write "[::1]:9095"'],
  ['::1:9095', 'write "[::1]:9095"'],
  ['::1:x', undefined],
  ['2001:db8::1:9095', 'write "[2001:db8::1]:9095"'],
  ['2001:db8:1:2:3:4:5:6:9095', 'write "[2001:db8:1:2:3:4:5:6]:9095"'],
  ['http://localhost:9095', 'write host:port, such as :9095'],
  ['unix:run/x.sock', 'write unix:/run/promgate.sock'],
])('refuses %s with a way out', (text, hint) => {
  const read = parseListenAddress(text);
  expect(read.ok).toBe(false);
  if (!read.ok && hint !== undefined) expect(read.hint).toBe(hint);
});

it.each([
  '',
  ':',
  ':65536',
  ':-1',
  ':http',
  ': 80',
  '10.1:80',
  '010.1.2.3:80',
  '256.1.1.1:80',
  '[10.1.2.3]:80',
  '[::1:80',
  'a_b:80',
])('refuses %j', (text) => {
  expect(parseListenAddress(text)).toMatchObject({ ok: false });
});

it.each(['a b:80', '-a:80', 'a..b:80', 'ä:80', `unix:/${'x'.repeat(120)}`, 'unix:/a\0b', 'unix:', 'unix:@abstract'])(
  'refuses %j',
  (text) => {
    expect(parseListenAddress(text)).toMatchObject({ ok: false });
  },
);
