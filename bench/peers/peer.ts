/** What is compared: programs that serve the same upstream over TLS to the same user. */
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { fetchOnce } from '../load.ts';
import type { Lab } from '../lab.ts';
import { startPinned, waitFor } from '../process.ts';
import type { Pinned } from '../process.ts';
import type { Statuses } from '../proof.ts';

export interface PeerOptions {
  /** `http://127.0.0.1:PORT`; default: the static upstream. */
  readonly upstream?: string;
}

export interface PeerKind {
  /** In tables. */
  readonly name: string;
  readonly start: (lab: Lab, options: PeerOptions) => Promise<Peer>;
}

export interface Peer {
  readonly name: string;
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  readonly pid: number;
  readonly process: Pinned;
  /** From its start to its first answer to a request with a password. */
  readonly readyAfterMs: number;
  /** What the server itself counts: answers by status since its start; null: it counts nothing. */
  readonly counted: (() => Promise<Statuses>) | null;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly lab: Lab;
  readonly name: string;
  readonly command: string;
  /** Writes the configuration for a port and returns the arguments. */
  readonly prepare: (port: number) => Promise<readonly string[]>;
  readonly core?: string;
  readonly scheme?: 'https' | 'http';
  readonly environment?: Readonly<Record<string, string>>;
  /** It serves when this is answered 200. */
  readonly readyPath?: string;
}

let count = 0;

/** Starts a server on the measured processor and waits until it answers the right password with 200. */
export async function startPeer(options: ServerOptions): Promise<Peer> {
  const { lab, name, command, prepare, environment, scheme = 'https', readyPath = '/federate?page=two' } = options;
  const port = await freePort();
  count += 1;
  const argv = await prepare(port);
  const startedAt = performance.now();
  const process = startPinned(command, argv, {
    core: options.core ?? lab.cores.measured,
    logFile: join(lab.directory, `server-${count}.log`),
    ...(environment === undefined ? {} : { environment }),
  });
  const url = `${scheme}://127.0.0.1:${port}`;
  try {
    await waitFor(process, name, async () => {
      if (scheme === 'http') return (await fetch(url + readyPath)).ok;
      const agent = lab.agent();
      const { status } = await fetchOnce({ url: url + readyPath, authorization: lab.authorization, agent });
      agent.destroy();
      return status === 200;
    });
  } catch (error) {
    await process.stop();
    throw error;
  }
  const readyAfterMs = performance.now() - startedAt;
  return { name, url, pid: process.pid, process, readyAfterMs, counted: null, stop: () => process.stop() };
}
