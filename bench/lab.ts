/** What all rows share: the directory, the certificate, the users, the static upstream. Everything on loopback. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../test/support/certificates.ts';
import { freePort } from '../test/support/free-port.ts';
import { findProgram } from '../test/support/programs.ts';
import { runProcess } from '../test/support/processes.ts';
import type { Cores } from './cores.ts';
import { expositionPage } from './exposition.ts';
import { startPinned, waitFor } from './process.ts';
import { endedWell } from './proof.ts';
import type { Pinned } from './process.ts';

export interface Lab {
  readonly cores: Cores;
  readonly directory: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly ca: string;
  /** `prom:$2y$10$…` */
  readonly htpasswdFile: string;
  readonly bcrypt: string;
  readonly user: string;
  readonly password: string;
  readonly authorization: string;
  readonly wrongAuthorization: string;
  /** Another user, for whom an identity of the gate can be made. */
  readonly otherUser: string;
  readonly otherAuthorization: string;
  /** nginx with static pages, `http://127.0.0.1:PORT`, on the processor of the load. */
  readonly upstream: string;
  /** How often it was asked so far; this question, and probes of a gate, are a few of them. */
  upstreamRequests(): Promise<number>;
  readonly pages: Readonly<Record<PageName, Buffer>>;
  /** Keeps its connections, unless it is told not to; one for each call. */
  agent(options?: { readonly keepAlive?: boolean }): Agent;
  /** Fewer and shorter rounds. */
  readonly quick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  say(text: string): void;
}

/** `/federate?page=NAME` at the static upstream. */
export type PageName = 'two' | 'exporter' | 'big';

const SANS = ['DNS:localhost', 'IP:127.0.0.1', 'DNS:gate.example.com'];
const USER = 'prom';
/** Of an identity beside the scraper's, with the same password. */
const OTHER_USER = 'other';
const PASSWORD = 'correct horse battery staple';

const basic = (password: string, user = USER): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

export interface LabOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly say: (text: string) => void;
}

/** Runs `work` in a lab that is gone afterwards, processes and files. */
export async function withLab<T>({ cores, quick, say }: LabOptions, work: (lab: Lab) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'promgate-bench-'));
  const authority = createAuthority('promgate bench CA');
  const agents: Agent[] = [];
  let upstream: { url: string; server: Pinned } | null = null;
  try {
    const issued = authority.issue({ name: 'localhost', sans: SANS, purpose: 'server' });
    const pages = { two: Buffer.from('ok'), exporter: expositionPage(60_000), big: expositionPage(17_500_000) };
    for (const [name, body] of Object.entries(pages)) await writeFile(join(directory, name), body);
    const htpasswd = await runProcess(findProgram('htpasswd'), ['-niBC', '10', USER], { input: `${PASSWORD}\n` });
    endedWell('htpasswd', htpasswd);
    const line = htpasswd.stdout.trim();
    const htpasswdFile = join(directory, 'htpasswd');
    await writeFile(htpasswdFile, `${line}\n${OTHER_USER}:${line.slice(USER.length + 1)}\n`);
    upstream = await startUpstream(directory, cores);
    const upstreamUrl = upstream.url;
    return await work({
      cores,
      directory,
      certFile: issued.certFile,
      keyFile: issued.keyFile,
      caFile: authority.certFile,
      ca: authority.cert,
      htpasswdFile,
      bcrypt: line.slice(USER.length + 1),
      user: USER,
      password: PASSWORD,
      authorization: basic(PASSWORD),
      wrongAuthorization: basic('wrong'),
      otherUser: OTHER_USER,
      otherAuthorization: basic(PASSWORD, OTHER_USER),
      upstream: upstream.url,
      upstreamRequests: () => countedBy(upstreamUrl),
      pages,
      agent(options = {}) {
        const agent = new Agent({ keepAlive: true, ca: authority.cert, ...options });
        agents.push(agent);
        return agent;
      },
      quick,
      rounds: quick ? 1 : 3,
      seconds: quick ? 1 : 3,
      say,
    });
  } finally {
    for (const agent of agents) agent.destroy();
    await upstream?.server.stop();
    authority.remove();
    await rm(directory, { recursive: true, force: true });
  }
}

/** One worker, no log, files kept open: it must never be the slowest. */
async function startUpstream(directory: string, cores: Cores): Promise<{ url: string; server: Pinned }> {
  const port = await freePort();
  const file = join(directory, 'upstream.conf');
  await writeFile(
    file,
    `daemon off; master_process off; pid ${directory}/upstream.pid; error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 300s;
  open_file_cache max=16 inactive=1h; open_file_cache_valid 1h; types {}
  default_type "text/plain; version=0.0.4; charset=utf-8";
  ${temporaryPaths(directory, 'upstream')}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${directory};
    location = /federate { try_files /$arg_page =404; }
    location = /-/ready { return 200 "ready"; }
    location = /counted { stub_status; }
  }
}
`,
  );
  const server = startPinned(findProgram('nginx'), ['-c', file, '-e', 'stderr'], {
    core: cores.load,
    logFile: join(directory, 'upstream.log'),
  });
  const url = `http://127.0.0.1:${port}`;
  await waitFor(server, 'the static upstream', async () => (await fetch(`${url}/-/ready`)).ok);
  return { url, server };
}

/** The third figure of `server accepts handled requests` (ngx_http_stub_status_module), these questions and probes with it. */
async function countedBy(url: string): Promise<number> {
  const text = await (await fetch(`${url}/counted`)).text();
  return Number(/^ \d+ \d+ (\d+) *$/m.exec(text)?.[1] ?? NaN);
}

/** nginx wants to own its folders of spooled bodies. */
export function temporaryPaths(directory: string, name: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${directory}/${name}-${kind};`)
    .join(' ');
}
