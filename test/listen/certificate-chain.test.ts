import { afterAll, beforeAll, expect, test } from 'vitest';
import { chainTo, knownOf, readAuthorities, type KnownCertificate } from '../../src/listen/certificate-chain.ts';
import { parseCertificates } from '../../src/formats/x509.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';

let root: Authority;
let issuing: Authority;
let namesake: Authority;
let leaf: KnownCertificate;
let intermediate: KnownCertificate;

function known(pem: string): KnownCertificate[] {
  const parsed = parseCertificates(pem);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value.map(({ der }) => knownOf(der));
}

beforeAll(() => {
  root = createAuthority('Root');
  namesake = createAuthority('Root');
  issuing = root.intermediate('Issuing');
  [leaf, intermediate] = known(issuing.issue({ name: 'client' }).cert) as [KnownCertificate, KnownCertificate];
});
afterAll(() => {
  root.remove();
  namesake.remove();
});

const fingerprints = (chain: readonly { readonly fingerprint: string }[]): string[] =>
  chain.map(({ fingerprint }) => fingerprint);

test('leaf first, anchor last, over what the client sent', () => {
  const authorities = readAuthorities({ ca: [root.cert] });
  const chain = chainTo(authorities, leaf, [intermediate]);
  expect(fingerprints(chain)).toEqual([leaf, intermediate, authorities[0]!].map(({ info }) => info.fingerprint));
  expect(chain[1]).toEqual({
    fingerprint: intermediate.info.fingerprint,
    serial: intermediate.info.serial,
    issuerKey: intermediate.info.issuerKey,
    notBefore: intermediate.info.notBefore,
    notAfter: intermediate.info.notAfter,
  });
});

test('a configured intermediate need not be sent', () => {
  const authorities = readAuthorities({ ca: [`${issuing.cert}${root.cert}`] });
  expect(authorities).toHaveLength(2);
  expect(chainTo(authorities, leaf, [])).toHaveLength(3);
});

test('without the intermediate there is no chain', () => {
  expect(chainTo(readAuthorities({ ca: [root.cert] }), leaf, [])).toEqual([]);
});

test('a configured intermediate alone is no anchor', () => {
  expect(chainTo(readAuthorities({ ca: [issuing.cert] }), leaf, [])).toEqual([]);
});

test('an authority of the same name with another key is passed over', () => {
  const chain = chainTo(readAuthorities({ ca: [namesake.cert, root.cert] }), leaf, [intermediate]);
  expect(chain.at(-1)?.fingerprint).toBe(known(root.cert)[0]!.info.fingerprint);
  expect(chainTo(readAuthorities({ ca: [namesake.cert] }), leaf, [intermediate])).toEqual([]);
});

test('an anchor that only the client sends is none', () => {
  expect(chainTo([], leaf, [intermediate, ...known(root.cert)])).toEqual([]);
});

test('a list of thousands of certificates is searched to a bounded depth', () => {
  const many = Array.from({ length: 5_000 }, () => intermediate);
  expect(chainTo(readAuthorities({ ca: [namesake.cert] }), leaf, many)).toEqual([]);
});
