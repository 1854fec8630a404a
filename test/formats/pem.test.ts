import { describe, expect, it } from 'vitest';
import { parsePem, toPem } from '../../src/formats/pem.ts';

const ONE = toPem('CERTIFICATE', Buffer.alloc(100, 1));
const TWO = toPem('X509 CRL', Buffer.alloc(48, 2));

describe('parsePem', () => {
  it('reads every block, past the text around them, a BOM, CRLF and trailing blanks', () => {
    const text = `\ufeffsubject=CN = a\r\n${ONE.replaceAll('\n', ' \r\n')}\r\nissuer: x\n${TWO}`;
    expect(parsePem(text)).toEqual({
      ok: true,
      value: [
        { label: 'CERTIFICATE', der: Buffer.alloc(100, 1), pem: ONE, line: 2 },
        { label: 'X509 CRL', der: Buffer.alloc(48, 2), pem: TWO, line: 9 },
      ],
    });
  });

  it('finds nothing in a text without blocks', () => {
    expect(parsePem('')).toEqual({ ok: true, value: [] });
    expect(parsePem('hello\n')).toEqual({ ok: true, value: [] });
  });

  it.each([
    ['a block without its END', ONE.slice(0, 60), 1],
    ['a block cut before another', `${ONE.slice(0, 60)}\n${TWO}`, 3],
    ['an END of another label', ONE.replace('END CERTIFICATE', 'END X509 CRL'), 5],
    ['an END alone', `x\n-----END CERTIFICATE-----`, 2],
    ['a body that is not base64', ONE.replace('AQEB', 'A*EB'), 1],
    ['a body with padding in the middle', ONE.replace('AQEB', 'AQ=='), 1],
    ['an empty body', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n', 1],
    ['headers, as of an encrypted key', ONE.replace('\n', '\nProc-Type: 4,ENCRYPTED\n\n'), 1],
    ['a damaged BEGIN line', ONE.replace('CERTIFICATE-----', 'CERTIFICATE---'), 1],
  ])('refuses %s, with the line', (_what, text, line) => {
    expect(parsePem(text)).toMatchObject({ ok: false, line });
  });
});
