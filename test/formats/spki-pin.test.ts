import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseSpkiPin, spkiHash, spkiPin } from '../../src/formats/spki-pin.ts';

const KEY = Buffer.from('any bytes');
const DIGEST = createHash('sha256').update(KEY).digest();
const HEX = DIGEST.toString('hex');

describe('a pin', () => {
  it('is printed as it is read', () => {
    expect(spkiHash(KEY)).toBe(HEX);
    expect(parseSpkiPin(spkiPin(KEY))).toEqual({ ok: true, value: HEX });
  });

  it.each([
    ['base64', `sha256/${DIGEST.toString('base64')}`],
    ['the base64 of curl', `sha256//${DIGEST.toString('base64')}`],
    ['hex', HEX],
    ['upper-case hex', HEX.toUpperCase()],
    ['hex with colons', HEX.toUpperCase().replace(/(..)(?=.)/g, '$1:')],
  ])('may be %s', (_, text) => {
    expect(parseSpkiPin(text)).toEqual({ ok: true, value: HEX });
  });

  it('may begin with a slash in base64', () => {
    const slash = Buffer.concat([Buffer.from([0xff]), DIGEST.subarray(1)]);
    expect(slash.toString('base64').startsWith('/')).toBe(true);
    for (const prefix of ['sha256/', 'sha256//']) {
      expect(parseSpkiPin(prefix + slash.toString('base64'))).toEqual({ ok: true, value: slash.toString('hex') });
    }
  });

  it.each(['', 'sha256/', 'sha256/AAAA', `sha1/${DIGEST.toString('base64')}`, HEX.slice(2), `${HEX}00`, `a:${HEX}`])(
    'is not %j',
    (text) => {
      expect(parseSpkiPin(text)).toMatchObject({ ok: false });
    },
  );
});
