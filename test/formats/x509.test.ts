import { execFileSync } from 'node:child_process';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { describeCertificate, keyMatches, parseCertificates } from '../../src/formats/x509.ts';
import { ED25519, makeCertificate, NOT_AFTER, NOT_BEFORE, rawExtension, RSA } from './made-certificates.ts';

const SAN = '2.5.29.17';
const NO_NAMES = { dns: [], email: [], uri: [], ip: [] };

/** GeneralNames of (tag, content) pairs, each shorter than 100 bytes. */
function generalNamesHex(...names: readonly (readonly [tag: number, content: Buffer])[]): string {
  const body = Buffer.concat(
    names.map(([tag, content]) => Buffer.concat([Buffer.from([tag, content.length]), content])),
  );
  return Buffer.concat([Buffer.from([0x30, body.length]), body]).toString('hex');
}

describe('describeCertificate', () => {
  it('says of a certificate what node:crypto says', async () => {
    const ca = await makeCertificate({ name: 'C=DE, O=Example, CN=Example CA', ca: true, serial: '01' });
    const leaf = await makeCertificate({
      name: 'O=Example, CN=a.example.com',
      issuer: ca,
      serial: '00f1e2d3c4b5a69788796a5b4c3d2e1f00',
      sans: [
        { type: 'dns', value: 'A.example.com' },
        { type: 'dns', value: '*.b.example.com' },
        { type: 'ip', value: '10.1.2.3' },
        { type: 'ip', value: '2001:db8::1' },
        { type: 'email', value: 'ops@example.com' },
        { type: 'url', value: 'spiffe://example.com/master' },
      ],
    });
    const info = describeCertificate(leaf.der);
    const node = new X509Certificate(leaf.der);
    expect(info).toMatchObject({
      subject: 'O=Example, CN=a.example.com',
      issuer: 'C=DE, O=Example, CN=Example CA',
      commonName: 'a.example.com',
      sans: {
        dns: ['a.example.com', '*.b.example.com'],
        email: ['ops@example.com'],
        uri: ['spiffe://example.com/master'],
        ip: ['10.1.2.3', '2001:db8::1'],
      },
      serial: node.serialNumber,
      notBefore: NOT_BEFORE,
      notAfter: NOT_AFTER,
      fingerprint: node.fingerprint256.replaceAll(':', ''),
      isCa: false,
      keyType: 'ec',
      publicKeySpki: node.publicKey.export({ type: 'spki', format: 'der' }),
    });
    expect(new X509Certificate(info.pem).fingerprint256).toBe(node.fingerprint256);
    const authority = describeCertificate(ca.der);
    expect(authority.isCa).toBe(true);
    expect(authority.subjectKey).toBe(authority.issuerKey);
    expect(info.issuerKey).toBe(authority.subjectKey);
    expect(info.subjectKey).not.toBe(authority.subjectKey);
    expect(authority.subjectKey).toBe(
      createHash('sha256').update(Buffer.from(ca.certificate.subjectName.toArrayBuffer())).digest('hex'),
    );
  });

  it.each([
    ['rsa', RSA],
    ['ed25519', ED25519],
  ])('names a key of type %s', async (keyType, algorithm) => {
    expect(describeCertificate((await makeCertificate({ algorithm })).der).keyType).toBe(keyType);
  });

  it('has no names where there is no SAN extension', async () => {
    expect(describeCertificate((await makeCertificate()).der).sans).toEqual(NO_NAMES);
  });

  it('takes an IPv4-mapped address in a SAN for the IPv4 address', async () => {
    const mapped = Buffer.from('00000000000000000000ffff0a010203', 'hex');
    const extensions = [rawExtension(SAN, false, generalNamesHex([0x87, mapped], [0x87, Buffer.from([1, 2, 3])]))];
    expect(describeCertificate((await makeCertificate({ extensions })).der).sans.ip).toEqual(['10.1.2.3']);
  });

  it('passes over names with a NUL, a blank or anything that is not ASCII', async () => {
    const extensions = [
      rawExtension(
        SAN,
        false,
        generalNamesHex(
          [0x82, Buffer.from('admin.example.com\0.evil.org')],
          [0x82, Buffer.from('a.example.com, DNS:admin.example.com')],
          [0x82, Buffer.from('ädmin.example.com')],
          [0x82, Buffer.alloc(0)],
          [0x82, Buffer.from('good.example.com')],
          [0x88, Buffer.from([0x2a, 0x03])],
        ),
      ),
    ];
    expect(describeCertificate((await makeCertificate({ extensions })).der).sans).toEqual({
      ...NO_NAMES,
      dns: ['good.example.com'],
    });
  });

  it('knows no CN where there are two, or none', async () => {
    const two = await makeCertificate({ name: 'CN=admin, CN=guest' });
    const none = await makeCertificate({ name: 'O=Example' });
    expect(describeCertificate(two.der).commonName).toBeNull();
    expect(describeCertificate(none.der).commonName).toBeNull();
    expect(describeCertificate(two.der).subject).toBe('CN=admin, CN=guest');
  });

  it('escapes what a name could forge in a printed subject', async () => {
    const { der } = await makeCertificate({ name: [{ CN: ['a, O=Example\u001b[2J'] }] as unknown as string });
    const { subject, commonName } = describeCertificate(der);
    expect(subject).toBe('CN=a\\, O\\=Example\\1b[2J');
    expect(commonName).toBeNull();
  });

  it('throws at bytes that are no certificate, and at a certificate with bytes behind it', async () => {
    const { der } = await makeCertificate();
    for (const bytes of [Buffer.alloc(0), Buffer.from('3000', 'hex'), der.subarray(0, -1), Buffer.concat([der, der])]) {
      expect(() => describeCertificate(bytes)).toThrow();
    }
  });
});

describe('parseCertificates', () => {
  it('reads a chain in its order, and passes over a key in the same file', async () => {
    const ca = await makeCertificate({ name: 'CN=CA', ca: true });
    const leaf = await makeCertificate({ issuer: ca });
    const read = parseCertificates(`${leaf.pem}${leaf.keyPem}\n${ca.pem}`);
    expect(read.ok && read.value.map(({ subject }) => subject)).toEqual(['CN=a.example.com', 'CN=CA']);
  });

  it('tells the line of a certificate that cannot be read', async () => {
    const { pem } = await makeCertificate();
    const junk = '-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n';
    expect(parseCertificates(pem + junk)).toMatchObject({ ok: false, line: pem.split('\n').length });
  });

  it('says what a file without certificates has instead', async () => {
    const { keyPem, der } = await makeCertificate();
    expect(parseCertificates(keyPem)).toMatchObject({ message: 'no certificate found, but PRIVATE KEY' });
    expect(parseCertificates('')).toMatchObject({ message: 'no certificate found: the file is empty' });
    expect(parseCertificates(der.toString('utf8'))).toMatchObject({
      message: 'no certificate found: the file is binary (DER), expected PEM',
    });
  });
});

describe('keyMatches', () => {
  it.each([
    ['ec', undefined],
    ['rsa', RSA],
    ['ed25519', ED25519],
  ])('knows the own key of type %s', async (keyType, algorithm) => {
    const { pem, keyPem } = await makeCertificate({ algorithm: algorithm ?? { name: 'ECDSA', namedCurve: 'P-384' } });
    expect(keyMatches(pem, keyPem)).toEqual({ ok: true, value: { keyType } });
  });

  it('refuses the key of another certificate, of the same type and of another', async () => {
    const one = await makeCertificate();
    for (const other of [await makeCertificate(), await makeCertificate({ algorithm: RSA })]) {
      expect(keyMatches(one.pem, other.keyPem)).toMatchObject({
        ok: false,
        message: 'the private key does not belong to the certificate',
      });
    }
  });

  it('judges by the first certificate of the chain', async () => {
    const ca = await makeCertificate({ name: 'CN=CA', ca: true });
    const leaf = await makeCertificate({ issuer: ca });
    expect(keyMatches(leaf.pem + ca.pem, leaf.keyPem)).toMatchObject({ ok: true });
    expect(keyMatches(ca.pem + leaf.pem, leaf.keyPem)).toMatchObject({ ok: false });
  });

  it('says that a key is encrypted, in both forms of PEM', async () => {
    const { pem, keyPem } = await makeCertificate({ algorithm: RSA });
    const key = createPrivateKey(keyPem);
    const secret = { format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } as const;
    for (const encrypted of [key.export({ ...secret, type: 'pkcs8' }), key.export({ ...secret, type: 'pkcs1' })]) {
      expect(keyMatches(pem, String(encrypted))).toMatchObject({ ok: false, message: 'the private key is encrypted' });
    }
  });

  it('takes the traditional forms of keys, with parameters before them, as openssl writes them', async () => {
    const { pem, keyPem } = await makeCertificate();
    const sec1 = createPrivateKey(keyPem).export({ type: 'sec1', format: 'pem' });
    const parameters = execFileSync('openssl', ['ecparam', '-name', 'prime256v1']).toString();
    expect(keyMatches(pem, parameters + String(sec1))).toMatchObject({ ok: true });
  });

  it.each([
    ['no key', 'no private key found', 'hello'],
    ['a damaged key', 'cannot be read', '-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n'],
  ])('refuses %s', async (_what, message, key) => {
    const read = keyMatches((await makeCertificate()).pem, key);
    expect(read.ok ? '' : read.message).toContain(message);
  });

  it('refuses a key type that no TLS client takes', async () => {
    const key = execFileSync('openssl', ['genpkey', '-algorithm', 'ED448'], { stdio: 'pipe' }).toString();
    const { pem } = await makeCertificate();
    expect(keyMatches(pem, key)).toMatchObject({
      message: 'the private key is of type ed448, expected RSA, EC or Ed25519',
    });
  });
});
