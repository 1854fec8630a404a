/** What an attacker is: a program of its own that begins, says that it is under way, and counts what it has done. */

import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Target {
  readonly port: number;
  /** `Basic …` of an identity that is not the scraper's. */
  readonly authorization: string;
}

export interface Attacker {
  /** So far; each is printed and compared with what the gate counts. */
  counts(): Readonly<Record<string, number>>;
}

/** Resolves once the attack is under way; it then goes on until the process ends. */
export type Attack = (target: Target) => Promise<Attacker>;

/** Where an attacker comes from who has one address: not the scraper's, which would be refused with it. */
export const FROM = '127.4.0.1';

/** A TCP connection from there; what goes wrong is the TLS connection's to tell. */
export function connectFrom(port: number): Socket {
  return connectTcp({ host: '127.0.0.1', port, localAddress: FROM }).on('error', () => undefined);
}

/** An HTTP/2 connection from there with a window of nothing: no answer is ever read. */
export function unreadSession(port: number, maxSendHeaderBlockLength?: number): ClientHttp2Session {
  return connect('https://localhost', {
    createConnection: () =>
      connectTls({
        socket: connectFrom(port),
        servername: 'localhost',
        ALPNProtocols: ['h2'],
        rejectUnauthorized: false,
      }),
    settings: { initialWindowSize: 0 },
    ...(maxSendHeaderBlockLength === undefined ? {} : { maxSendHeaderBlockLength }),
  });
}
