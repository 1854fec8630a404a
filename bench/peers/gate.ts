/** promgate as built, with every policy step on: htpasswd, allow list, identity with addresses and paths. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sumsBy } from '../exposed.ts';
import { freePort } from '../../test/support/free-port.ts';
import type { Lab } from '../lab.ts';
import { startPeer } from './peer.ts';
import type { Peer, PeerKind, PeerOptions } from './peer.ts';

export interface GateOptions extends PeerOptions {
  readonly name?: string;
  /** dist/bundle/main.js of another build. */
  readonly main?: string;
  readonly node?: string;
  readonly core?: string;
  /** Lines of the entry of the upstream, `key: value`. */
  readonly upstreamKeys?: readonly string[];
  /** More lines at the top level. */
  readonly keys?: readonly string[];
  /** The list under `allow`. */
  readonly allow?: readonly string[];
  /** More entries of the list under `identities`, `{name: …}`. */
  readonly identities?: readonly string[];
  /** Whether clients may show certificates of the lab's CA. */
  readonly isClientCaTrusted?: boolean;
}

export interface GatePeer extends Peer {
  /** Its own /metrics. */
  metrics(): Promise<string>;
}

export const MAIN = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url));

const ALLOW = ['127.0.0.0/8', '10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32'];

/** The text of promgate.yml. */
function configuration(lab: Lab, port: number, adminPort: number, options: GateOptions): string {
  const { upstream = lab.upstream, upstreamKeys = [], keys = [], allow = ALLOW, identities = [] } = options;
  const clientCa = options.isClientCaTrusted === true ? `, client_ca_file: ${lab.caFile}` : '';
  return `tls_server_config: {cert_file: ${lab.certFile}, key_file: ${lab.keyFile}${clientCa}}
listen_addresses: ["127.0.0.1:${port}"]
admin_address: 127.0.0.1:${adminPort}
htpasswd_file: ${lab.htpasswdFile}
allow:
${allow.map((network) => `  - ${JSON.stringify(network)}`).join('\n')}
identities:
  - {name: master, password_users: [${lab.user}], allow_from: [127.0.0.0/8], paths: ["@scrape"]}
${identities.map((entry) => `  - ${entry}`).join('\n')}
upstreams:
  - url: ${upstream}
${upstreamKeys.map((line) => `    ${line}`).join('\n')}
${keys.join('\n')}
`;
}

export async function startGate(lab: Lab, options: GateOptions = {}): Promise<GatePeer> {
  const { name = 'promgate', main = MAIN, node = process.execPath, core } = options;
  const adminPort = await freePort();
  const metrics = async (): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`, { signal: AbortSignal.timeout(30_000) });
    return response.text();
  };
  const peer = await startPeer({
    lab,
    name,
    command: node,
    // As the image and the unit start it.
    environment: { NODE_OPTIONS: '--max-semi-space-size=4', MALLOC_ARENA_MAX: '1' },
    ...(core === undefined ? {} : { core }),
    prepare: async (port) => {
      const file = join(lab.directory, `promgate-${port}.yml`);
      await writeFile(file, configuration(lab, port, adminPort, options));
      return [main, 'run', `--config.file=${file}`];
    },
  });
  return { ...peer, metrics, counted: async () => sumsBy(await metrics(), 'promgate_requests_total', 'code') };
}

/** @throws Error when it is no gate. */
export function metricsOf(peer: Peer): Promise<string> {
  if (!('metrics' in peer)) throw new Error(`${peer.name} has no metrics of a gate`);
  return (peer as GatePeer).metrics();
}

export const gate: PeerKind = { name: 'promgate', start: startGate };
