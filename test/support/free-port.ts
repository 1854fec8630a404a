/**
 * A TCP port of 127.0.0.1 that was free a moment ago, for real servers that cannot be told to take port 0. Below the ports
 * that the kernel gives to clients, and apart from those of test files that run at the same time: nobody takes it in the
 * moment between.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST = 20_000;
const PORTS_OF_A_WORKER = 3_000;
const WORKERS = 4;
const first = FIRST + (Number(process.env['VITEST_POOL_ID'] ?? 0) % WORKERS) * PORTS_OF_A_WORKER;

let next = Math.floor(Math.random() * PORTS_OF_A_WORKER);

export async function freePort(): Promise<number> {
  for (let tried = 0; tried < PORTS_OF_A_WORKER; tried++) {
    next = (next + 1) % PORTS_OF_A_WORKER;
    if (await isFree(first + next)) return first + next;
  }
  throw new Error(`no port is free between ${first} and ${first + PORTS_OF_A_WORKER}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
