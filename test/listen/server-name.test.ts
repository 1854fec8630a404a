import { expect, test } from 'vitest';
import { indexForServerName } from '../../src/listen/server-name.ts';

const CERTIFICATES = [
  { names: ['default.example', '192.0.2.1'] },
  { names: ['*.wild.example'] },
  { names: ['one.wild.example'] },
];

test.each([
  ['default.example', 0],
  ['one.wild.example', 2],
  ['ONE.Wild.Example', 2],
  ['one.wild.example.', 2],
  ['two.wild.example', 1],
  ['deeper.two.wild.example', 0],
  ['wild.example', 0],
  ['unknown.example', 0],
  ['', 0],
  ['localhost', 0],
  ['.wild.example', 0],
])('%s is served by certificate %i', (name, index) => {
  expect(indexForServerName(name, CERTIFICATES)).toBe(index);
});
