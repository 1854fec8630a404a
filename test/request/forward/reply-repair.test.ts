import fc from '../../support/property.ts';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ReplyRepair } from '../../../src/request/forward/reply-repair.ts';
import { upstreamAt } from '../../support/config-fixture.ts';
import { poll } from '../../support/poll.ts';
import { startGate } from './gate-fixture.ts';
import { read } from './scrape/reader.ts';

/** What the parser gets of these pieces. */
function repaired(pieces: readonly string[], method = 'GET'): string {
  const repair = new ReplyRepair();
  repair.begin(method);
  return pieces.map((piece) => repair.repair(Buffer.from(piece, 'latin1'))?.toString('latin1') ?? '').join('');
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n';
const BARE = 'HTTP/1.1 200 OK\nContent-Type: text/plain\n';

const REPAIRED: readonly (readonly [string, string, string])[] = [
  ['bare line feeds', `${BARE}Content-Length: 5\n\nup 1\n`, `${OK}Content-Length: 5\r\n\r\nup 1\n`],
  ['a mixture of line ends', `${OK}Content-Length: 5\n\r\nup 1\n`, `${OK}Content-Length: 5\r\n\r\nup 1\n`],
  [
    'two equal lengths',
    `${OK}Content-Length: 5\r\ncontent-length:  5\r\n\r\nup 1\n`,
    `${OK}Content-Length: 5\r\n\r\nup 1\n`,
  ],
  [
    'a length beside chunked',
    `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n0\r\n\r\n`,
  ],
  [
    'blanks, an extension and a bare line feed behind sizes',
    `${OK}Transfer-Encoding: chunked\r\n\r\n3  \r\nup \r\n02 ;a=b\r\n1\n\n0 \n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nup \r\n2\r\n1\n\r\n0\r\n\r\n`,
  ],
  ['a folded header', `${OK}X-A: 1\r\n\t2\r\n\r\n`, `${OK}X-A: 1 2\r\n\r\n`],
  ['a name with a blank, and none', `${OK}X-A : 1\r\n: 2\r\n\r\n`, `${OK}\r\n`],
  ['a name with a blank within', `${OK}X A: 1\r\nContent-Length: 2\r\n\r\n`, `${OK}Content-Length: 2\r\n\r\n`],
  ['an interim answer', `HTTP/1.1 100 Continue\r\n\r\n${OK}\r\n`, `${OK}\r\n`],
  ['several', `HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}\r\n`, `${OK}\r\n`],
];

const IN_ORDER: readonly (readonly [string, string])[] = [
  ['a length', `${OK}Content-Length: 5\r\n\r\nup 1\n`],
  ['chunks', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n0\r\nX-Sum: 1\r\n\r\n`],
  ['the end of the connection', `${OK}\r\nup 1\n3 \r\n`],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nup 1\n'],
];

const LEFT_ALONE: readonly (readonly [string, string])[] = [
  ['two unequal lengths', `${BARE}Content-Length: 5\nContent-Length: 6\n\nup 1\n`],
  ['a size that is none', `${OK}Transfer-Encoding: chunked\r\n\r\n 5\r\nup 1\n\r\n0\r\n\r\n`],
  ['a size beyond every number', `${OK}Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\nup`],
  ['a chunk that is longer than it says', `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nup 1\n\r\n0\r\n\r\n`],
  ['what is not HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
  ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
];

describe('an answer of an upstream', () => {
  it.each(REPAIRED)('is repaired where it has %s', (_what, came, wanted) => {
    expect(repaired([came])).toBe(wanted);
    expect(repaired([...came])).toBe(wanted);
  });

  it.each([...IN_ORDER, ...LEFT_ALONE])('stays as it is where it has %s', (_what, came) => {
    expect(repaired([came])).toBe(came);
    expect(repaired([...came])).toBe(came);
  });

  it('says the same whatever the pieces', () => {
    const texts = [...REPAIRED.map(([, came]) => came), ...IN_ORDER.map(([, came]) => came)];
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.array(fc.nat(200), { maxLength: 8 }), (text, cuts) => {
        const places = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
        const pieces = places.slice(1).map((place, index) => text.slice(places[index], place));
        expect(repaired(pieces)).toBe(repaired([text]));
      }),
    );
  });

  it('is not copied where it is in order', () => {
    const repair = new ReplyRepair();
    repair.begin('GET');
    const first = Buffer.from(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nup`);
    expect(repair.repair(first)).toBe(first);
    const second = Buffer.from(' 1\n\r\n0\r\n\r\n');
    expect(repair.repair(second)).toBe(second);
  });

  it('has no body for a HEAD, and the next request begins again', () => {
    const repair = new ReplyRepair();
    const head = Buffer.from(`${OK}Transfer-Encoding: chunked\r\n\r\n`);
    repair.begin('HEAD');
    expect(repair.repair(head)).toBe(head);
    repair.begin('GET');
    expect(repair.repair(Buffer.from(`${BARE}\n`))?.toString()).toBe(`${OK}\r\n`);
  });

  it('is held back for 64 KiB at most', () => {
    const repair = new ReplyRepair();
    repair.begin('GET');
    const endless = Buffer.alloc(70_000, 'x');
    expect(repair.repair(endless)).toBe(endless);
  });
});

describe('through the gate', () => {
  const closing: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function gateBefore(answer: string, lenientHttp = true) {
    const sockets = new Set<Socket>();
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      sockets.add(socket.on('error', () => undefined));
      socket.on('data', () => socket.write(answer, 'latin1'));
    }).listen(0, '127.0.0.1');
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await poll('the upstream', () => server.listening);
    const gate = await startGate({ upstream: upstreamAt((server.address() as AddressInfo).port, { lenientHttp }) });
    closing.push(() => gate.close());
    return { gate, connections: () => connections };
  }

  const WHOLE = [
    `${BARE}Content-Length: 5\n\nup 1\n`,
    `${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nup 1\n`,
    `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nup 1\n\r\n0  \r\n\r\n`,
    `HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 5\r\n\r\nup 1\n`,
  ];

  it.each(['/metrics', '/api/v1/query'])('%s is whole and in order, on one connection', async (path) => {
    for (const answer of WHOLE) {
      const { gate, connections } = await gateBefore(answer);
      for (let count = 0; count < 3; count += 1) {
        const reader = read(gate, path);
        expect(await reader.ended()).toBe('whole');
        expect(reader.status).toBe(200);
        expect(reader.body().toString()).toBe('up 1\n');
      }
      expect(connections()).toBe(1);
    }
  });

  it('is 502 where the operator wants it strict, and where it has no single meaning', async () => {
    for (const answer of WHOLE.slice(0, 2)) {
      const { gate } = await gateBefore(answer, false);
      expect(await read(gate, '/metrics').opened()).toBe(502);
    }
    for (const lenientHttp of [true, false]) {
      const { gate } = await gateBefore(`${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nup 1\n`, lenientHttp);
      expect(await read(gate, '/metrics').opened()).toBe(502);
    }
  });
});
