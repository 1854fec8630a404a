import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCrls, type Crl } from '../../src/formats/crl.ts';
import { describeCertificate } from '../../src/formats/x509.ts';
import { makeCertificate, makeCrl, NOT_BEFORE, rawExtension, type Made } from './made-certificates.ts';

let ca: Made;
beforeEach(async () => {
  ca = await makeCertificate({ name: 'O=Example, CN=Example CA', ca: true });
});

function crls(pem: string): Crl[] {
  const read = parseCrls(pem);
  if (!read.ok) throw new Error(read.message);
  return read.value;
}

describe('parseCrls', () => {
  it('reads issuer, dates, number and serials', async () => {
    const leaf = await makeCertificate({ issuer: ca, serial: '00f1e2' });
    const pem = await makeCrl({
      issuer: ca,
      serials: ['00f1e2', '0a', '01'],
      nextUpdate: new Date(NOT_BEFORE + 86_400_000),
      extensions: [rawExtension('2.5.29.20', false, '020901f0f1f2f3f4f5f6f7')],
    });
    const [crl] = crls(pem);
    expect(crl).toMatchObject({
      issuer: 'O=Example, CN=Example CA',
      issuerKey: describeCertificate(leaf.der).issuerKey,
      number: 0x01f0f1f2f3f4f5f6f7n,
      thisUpdate: NOT_BEFORE,
      nextUpdate: NOT_BEFORE + 86_400_000,
    });
    expect(crl?.revoked).toEqual(new Set(['F1E2', '0A', '01']));
    expect(crl?.revoked.has(describeCertificate(leaf.der).serial)).toBe(true);
  });

  it('reads a list without entries, without number and without nextUpdate', async () => {
    const [crl] = crls(await makeCrl({ issuer: ca }));
    expect(crl).toMatchObject({ number: null, nextUpdate: null, revoked: new Set() });
  });

  it('reads several lists of one file and hands them on in the label that OpenSSL wants', async () => {
    const other = await makeCertificate({ name: 'CN=Other CA', ca: true });
    const pem = (await makeCrl({ issuer: ca })) + ca.pem + (await makeCrl({ issuer: other }));
    const lists = crls(pem);
    expect(lists.map(({ issuer }) => issuer)).toEqual(['O=Example, CN=Example CA', 'CN=Other CA']);
    for (const list of lists) {
      expect(list.pem).toMatch(/^-----BEGIN X509 CRL-----\n/);
      expect(() => createSecureContext({ crl: list.pem })).not.toThrow();
    }
  });

  it.each([
    ['a delta CRL', '2.5.29.27', '020101', 'delta CRL'],
    ['an indirect CRL', '2.5.29.28', '30038401ff', 'indirect CRL'],
    ['a list of some reasons only', '2.5.29.28', '300483020780', 'some reasons'],
    ['an unknown critical extension', '1.2.3.4', '0500', 'unknown critical extension 1.2.3.4'],
  ])('refuses %s', async (_what, oid, der, word) => {
    const read = parseCrls(await makeCrl({ issuer: ca, extensions: [rawExtension(oid, true, der)] }));
    expect(read.ok ? '' : read.message).toContain(word);
    expect(read.ok ? 0 : read.line).toBe(1);
  });

  it('takes a list that is limited to user certificates', async () => {
    const extensions = [rawExtension('2.5.29.28', true, '30038101ff')];
    expect(crls(await makeCrl({ issuer: ca, serials: ['0b'], extensions }))).toHaveLength(1);
  });

  it('lets one damaged list spoil the file, with its line', async () => {
    const good = await makeCrl({ issuer: ca });
    const bad = '-----BEGIN X509 CRL-----\nMAMCAQE=\n-----END X509 CRL-----\n';
    expect(parseCrls(good + bad)).toMatchObject({ ok: false, line: good.split('\n').length });
  });

  it('says what a file without lists has instead', () => {
    expect(parseCrls(ca.pem)).toMatchObject({ message: 'no CRL found, but CERTIFICATE' });
    expect(parseCrls('')).toMatchObject({ message: 'no CRL found: the file is empty' });
  });
});

describe('a list written by openssl', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'promgate-crl-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is read, and refused with a way out as DER', () => {
    const at = (name: string) => join(folder, name);
    const config = `[ca]\ndefault_ca=d\n[d]\ndatabase=${at('index')}\ncrlnumber=${at('number')}\ndefault_md=sha256\n`;
    writeFileSync(at('conf'), config);
    writeFileSync(at('number'), '1005\n');
    writeFileSync(at('index'), 'R\t270101000000Z\t260102000000Z,keyCompromise\t0F3A\tunknown\t/CN=a\n');
    writeFileSync(at('ca.pem'), ca.pem);
    writeFileSync(at('ca.key'), ca.keyPem);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', maxBuffer: 1 << 20 });
    openssl(
      'ca',
      '-gencrl',
      '-config',
      at('conf'),
      '-cert',
      at('ca.pem'),
      '-keyfile',
      at('ca.key'),
      '-crldays',
      '7',
      '-out',
      at('crl.pem'),
    );
    const text = openssl('crl', '-in', at('crl.pem'), '-text').toString();
    const [crl] = crls(text);
    expect(crl).toMatchObject({
      number: 0x1005n,
      revoked: new Set(['0F3A']),
      issuerKey: describeCertificate(ca.der).subjectKey,
    });
    const der = openssl('crl', '-in', at('crl.pem'), '-outform', 'der').toString('utf8');
    expect(parseCrls(der)).toMatchObject({
      ok: false,
      message: 'no CRL found: the file is binary (DER), expected PEM',
      hint: 'convert DER with `openssl crl -inform der -in FILE`',
    });
  });
});
