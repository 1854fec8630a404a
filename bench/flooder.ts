/**
 * A program of its own: guesses passwords from many addresses of 127.0.0.0/8, each time on a new connection and from the
 * next address. It leaves when it is not answered soon: what is guessed is the gate's to forget.
 * `flooder.ts PORT ADDRESSES CONCURRENCY SECONDS`, which are more when not every address has guessed by then; prints `sent COUNT`, `addresses COUNT` and lines `answered STATUS COUNT`.
 */
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';

const [port = 0, addresses = 0, concurrency = 0, seconds = 0] = process.argv.slice(2).map(Number);
const startedAt = performance.now();
const MOST_SECONDS = 120;
const PATIENCE_MS = 1_000;
const CONNECT_MS = 10_000;
/** The last byte of an address is 1 to 250. */
const HOSTS = 250;
const used = new Set<string>();
const statuses = new Map<string, number>();
let turn = 0;
let sent = 0;

function isOver(): boolean {
  const passed = (performance.now() - startedAt) / 1000;
  return passed > MOST_SECONDS || (passed > seconds && used.size >= addresses);
}

function guess(): void {
  if (isOver()) return;
  const from = turn % addresses;
  const authorization = Buffer.from(`prom:guess${turn}`).toString('base64');
  turn += 1;
  const localAddress = `127.1.${Math.floor(from / HOSTS)}.${(from % HOSTS) + 1}`;
  const raw = connectTcp({ host: '127.0.0.1', port, localAddress }).on('error', () => socket.destroy());
  const socket = connect({ socket: raw, rejectUnauthorized: false, servername: 'localhost' });
  let timer = setTimeout(() => socket.destroy(), CONNECT_MS);
  socket.on('error', () => undefined);
  socket.once('secureConnect', () => {
    socket.write(`GET /federate HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${authorization}\r\n\r\n`);
    sent += 1;
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    used.add(localAddress);
  });
  socket.once('data', (head: Buffer) => {
    const status = head.toString('latin1', 9, 12);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    socket.destroy();
  });
  socket.once('close', () => {
    clearTimeout(timer);
    raw.destroy();
    guess();
  });
}

for (let index = 0; index < concurrency; index++) guess();
const timer = setInterval(() => {
  if (!isOver()) return;
  clearInterval(timer);
  console.log(`sent ${sent}\naddresses ${used.size}`);
  for (const [status, count] of statuses) console.log(`answered ${status} ${count}`);
  process.exit(0);
}, 50);
