/**
 * A program of its own: guesses passwords from many addresses of 127.0.0.0/8, each time on a new connection.
 * `flooder.ts PORT ADDRESSES CONCURRENCY SECONDS`; prints how many guesses were answered.
 */
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';

const [port = 0, addresses = 0, concurrency = 0, seconds = 0] = process.argv.slice(2).map(Number);
const until = performance.now() + seconds * 1000;
const TIMEOUT_MS = 10_000;
let sent = 0;
let answered = 0;

function guess(): void {
  if (performance.now() > until) return;
  const from = sent % addresses;
  const authorization = Buffer.from(`prom:guess${sent}`).toString('base64');
  sent += 1;
  const localAddress = `127.1.${(from >> 8) & 255}.${from & 255 || 1}`;
  const raw = connectTcp({ host: '127.0.0.1', port, localAddress }).on('error', () => socket.destroy());
  const socket = connect({ socket: raw, rejectUnauthorized: false, servername: 'localhost' });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.once('secureConnect', () => {
    socket.write(`GET /federate HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${authorization}\r\n\r\n`);
  });
  socket.once('data', () => {
    answered += 1;
    socket.destroy();
  });
  socket.once('close', guess);
}

for (let index = 0; index < concurrency; index++) guess();
const timer = setInterval(() => {
  if (performance.now() < until) return;
  clearInterval(timer);
  console.log(answered);
  process.exit(0);
}, 50);
