import fc from '../support/property.ts';
import { expect, it } from 'vitest';
import { parseByteSize } from '../../src/formats/byte-size.ts';
import { parseCrls } from '../../src/formats/crl.ts';
import { DerFault, DerReader, TAG } from '../../src/formats/der.ts';
import { parseGoDuration, parsePrometheusDuration } from '../../src/formats/duration.ts';
import { formatHash, parseHash, parseHtpasswd, type HtpasswdHash } from '../../src/formats/htpasswd.ts';
import { parseListenAddress } from '../../src/formats/listen-address.ts';
import { verifyPassword } from '../../src/formats/password-hash.ts';
import { matchesPath, parsePathPattern } from '../../src/formats/path-pattern.ts';
import { parsePem, toPem } from '../../src/formats/pem.ts';
import { didYouMean } from '../../src/formats/suggest.ts';
import { describeCertificate, keyMatches, parseCertificates } from '../../src/formats/x509.ts';
import { makeCertificate, makeCrl } from '../formats/made-certificates.ts';

const SCHEMES = [
  '$apr1$',
  '$2y$05$',
  '$2a$99$',
  '{SHA}',
  '{SSHA}',
  '$5$',
  '$6$rounds=5000$',
  '$6$',
  '$1$',
  '{PLAIN}',
  '',
];
const MARKUP = ['-----BEGIN ', 'CERTIFICATE', 'X509 CRL', '-----', '-----END ', '\n', '\r\n', '=', 'AAAA', ':', '#'];

const anything = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(fc.constantFrom(...MARKUP), { maxLength: 12 }).map((parts) => parts.join('')),
  fc.tuple(fc.constantFrom(...SCHEMES), fc.base64String()).map((parts) => parts.join('')),
  fc
    .array(fc.tuple(fc.nat(99_999), fc.constantFrom('y', 'd', 'h', 'm', 's', 'ms', '.', 'KB', 'GiB', ' ', ':')))
    .map((all) => all.flat().join('')),
);

it.each([
  ['parseHash', parseHash],
  ['parseHtpasswd', parseHtpasswd],
  ['parseListenAddress', parseListenAddress],
  ['parsePathPattern', parsePathPattern],
  ['parsePrometheusDuration', parsePrometheusDuration],
  ['parseGoDuration', parseGoDuration],
  ['parseByteSize', parseByteSize],
  ['parsePem', parsePem],
  ['parseCertificates', parseCertificates],
  ['parseCrls', parseCrls],
  ['keyMatches', (text: string) => keyMatches(text, text)],
  ['didYouMean', (text: string) => didYouMean(text, ['allow', text, `${text}x`])],
])('no text makes %s throw', (_name, parse) => {
  fc.assert(
    fc.property(anything, (text) => {
      parse(text);
    }),
    { numRuns: 500 },
  );
});

const crypt = (length: number, unit = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz') =>
  fc.string({ unit: fc.constantFrom(...unit), minLength: length, maxLength: length });
const salt = (most: number) => fc.integer({ min: 1, max: most }).chain((length) => crypt(length));
const bytes = (least: number, most = least) =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((all) => Buffer.from(all).toString('base64'));

const hash: fc.Arbitrary<HtpasswdHash> = fc.oneof(
  fc.record({
    scheme: fc.constant('apr1'),
    salt: salt(8),
    digest: fc.tuple(crypt(21), crypt(1, './01')).map((all) => all.join('')),
  }),
  fc.record({ scheme: fc.constant('sha1'), digest: bytes(20) }),
  fc.record({ scheme: fc.constant('ssha'), digest: bytes(20), salt: bytes(1, 64) }),
  fc
    .tuple(
      fc.boolean(),
      fc.integer({ min: 1000, max: 2000 }),
      fc.boolean(),
      salt(16),
      crypt(42),
      crypt(85),
      crypt(1, './01'),
    )
    .map(([short, rounds, explicitRounds, text, shorter, longer, last]): HtpasswdHash => ({
      scheme: short ? 'sha256-crypt' : 'sha512-crypt',
      rounds: explicitRounds ? rounds : 5000,
      explicitRounds,
      salt: text,
      digest: (short ? shorter : longer) + last,
    })),
);

it('a hash survives being printed', () => {
  fc.assert(
    fc.property(hash, (value) => {
      expect(parseHash(formatHash(value))).toEqual({ ok: true, value });
    }),
  );
});

it('a hash that was made of nothing lets no password in, and no password makes the check throw', () => {
  const password = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant('\ud800'), fc.constant('\0'));
  fc.assert(
    fc.property(hash, password, (value, text) => {
      expect(verifyPassword(value, text)).toBe(false);
    }),
    { numRuns: 50 },
  );
});

it('every line of an htpasswd file is an entry, a fault, a comment or blank, and no fault repeats what follows the colon', () => {
  const secret = fc.string({ minLength: 8, unit: fc.constantFrom(...'qwxzQWXZ0123456789') });
  fc.assert(
    fc.property(fc.constantFrom(...SCHEMES), secret, (scheme, text) => {
      const { entries, faults } = parseHtpasswd(`user:${scheme}${text}\n${text}\n`);
      expect(entries.length + faults.length).toBe(2);
      expect(JSON.stringify(faults)).not.toContain(text);
    }),
  );
});

it('PEM survives being printed', () => {
  const label = fc.constantFrom('CERTIFICATE', 'X509 CRL', 'PRIVATE KEY');
  fc.assert(
    fc.property(fc.array(fc.tuple(label, fc.uint8Array({ minLength: 1, maxLength: 200 }))), (blocks) => {
      const text = blocks.map(([name, der]) => `# ${name}\n${toPem(name, Buffer.from(der))}`).join('');
      const read = parsePem(text);
      expect(read.ok && read.value.map(({ label: name, der }) => [name, [...der]])).toEqual(
        blocks.map(([name, der]) => [name, [...der]]),
      );
    }),
  );
});

it('a reader of DER answers random bytes with a fault of its own or not at all', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (random) => {
      const reader = new DerReader(Buffer.from(random));
      try {
        while (!reader.isAtEnd()) {
          if (reader.peek() === TAG.utcTime || reader.peek() === TAG.generalizedTime) reader.time();
          else if (reader.peek() === TAG.oid) reader.oid();
          else reader.skip();
        }
      } catch (error) {
        expect(error).toBeInstanceOf(DerFault);
      }
    }),
    { numRuns: 2000 },
  );
});

it('a certificate or CRL with one byte changed is read or refused, and its parser never breaks', async () => {
  const ca = await makeCertificate({ name: 'CN=CA', ca: true, sans: [{ type: 'dns', value: 'a.example.com' }] });
  const list = parsePem(await makeCrl({ issuer: ca, serials: ['0a'], nextUpdate: new Date() }));
  const crl = list.ok ? (list.value[0]?.der ?? Buffer.alloc(0)) : Buffer.alloc(0);
  const change = (der: Buffer, at: number, byte: number): Buffer => {
    const changed = Buffer.from(der);
    changed[at % der.length] = byte;
    return changed;
  };
  fc.assert(
    fc.property(fc.nat(10_000), fc.nat(255), (at, byte) => {
      const certificate = change(ca.der, at, byte);
      const read = parseCertificates(toPem('CERTIFICATE', certificate));
      if (read.ok) expect(read.value[0]?.der).toEqual(certificate);
      else expect(() => describeCertificate(certificate)).toThrow();
      parseCrls(toPem('X509 CRL', change(crl, at, byte)));
    }),
    { numRuns: 1000 },
  );
});

it('a Prometheus duration is the sum of its parts', () => {
  const units = [
    ['y', 31_536_000_000],
    ['w', 604_800_000],
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const;
  const parts = fc.tuple(...units.map(() => fc.option(fc.nat(30)))).filter((all) => all.some((part) => part !== null));
  fc.assert(
    fc.property(parts, (numbers) => {
      const text = numbers
        .map((number, index) => (number === null ? '' : `${String(number)}${units[index]?.[0] ?? ''}`))
        .join('');
      const ms = numbers.reduce<number>((sum, number, index) => sum + (number ?? 0) * (units[index]?.[1] ?? 0), 0);
      expect(parsePrometheusDuration(text)).toEqual({ ok: true, value: ms });
    }),
  );
});

it('a prefix pattern matches what lies below it, and nothing beside it', () => {
  const segment = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom(...'abcXYZ019-_~') });
  const segments = fc.array(segment, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(segments, segments, segment, (above, below, more) => {
      const path = `/${above.join('/')}`;
      const read = parsePathPattern(`${path}/*`);
      if (!read.ok) throw new Error(read.message);
      expect(matchesPath(read.value, `${path}/${below.join('/')}`)).toBe(true);
      expect(matchesPath(read.value, path)).toBe(false);
      expect(matchesPath(read.value, `${path}${more}/${below.join('/')}`)).toBe(false);
    }),
  );
});
