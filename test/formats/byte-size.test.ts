import { expect, it } from 'vitest';
import { parseByteSize } from '../../src/formats/byte-size.ts';

it.each([
  ['0', 0],
  ['512', 512],
  ['64B', 64],
  ['64KB', 65_536],
  ['64KiB', 65_536],
  ['16MB', 16_777_216],
  ['1GiB', 1_073_741_824],
  ['2TB', 2_199_023_255_552],
  ['7PB', 7 * 1024 ** 5],
])('%s is %d bytes', (text, bytes) => {
  expect(parseByteSize(text)).toEqual({ ok: true, value: bytes });
});

it.each(['', 'MB', '1.5GB', '-1', '1 MB', '16M', '16mb', '8PB', '1EB', '1BB', '1iB', '99999999999999999', '1KB1B'])(
  'refuses %j',
  (text) => {
    expect(parseByteSize(text)).toMatchObject({ ok: false });
  },
);

it.each([
  ['16mb', 'did you mean 16MB?'],
  ['16M', 'did you mean 16MB?'],
  ['1 gib', 'did you mean 1GB?'],
])('knows what %s was to be', (text, hint) => {
  expect(parseByteSize(text)).toMatchObject({ hint });
});
