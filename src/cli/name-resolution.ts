/** The files by which this host resolves names. */
import { readFile } from 'node:fs/promises';
import { createResolveHost } from '../lib/resolve-host.ts';
import type { ResolveHost } from '../lib/resolve-host.ts';

const TIMEOUT_MS = 5_000;

export function resolveAsThisHost(): ResolveHost {
  return createResolveHost({
    readHosts: () => readFile('/etc/hosts', 'utf8'),
    readResolvConf: () => readFile('/etc/resolv.conf', 'utf8'),
    timeoutMs: TIMEOUT_MS,
  });
}
