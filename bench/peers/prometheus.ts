/** Real Prometheus servers: behind the gate, bare with web.yml, and as the masters that federate. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, newestProgram } from '../../test/support/programs.ts';
import { sumsBy } from '../exposed.ts';
import type { Lab } from '../lab.ts';
import { fetchOnce } from '../load.ts';
import { startPeer } from './peer.ts';
import type { Peer, PeerKind } from './peer.ts';

export interface PrometheusOptions {
  readonly name: string;
  readonly program: string;
  /** YAML from `scrape_configs:` on. */
  readonly configuration?: string;
  /** With TLS and the users of the lab. */
  readonly webConfig?: boolean;
  readonly core?: string;
  readonly argv?: readonly string[];
}

export const STABLE = (): string => findProgram('prometheus');
export const NEWEST = (): string => newestProgram('prometheus');

let count = 0;

export interface PrometheusPeer extends Peer {
  /** Writes another configuration; it is read when the server is told to. */
  reconfigure(text: string): Promise<void>;
}

export async function startPrometheus(lab: Lab, options: PrometheusOptions): Promise<PrometheusPeer> {
  count += 1;
  const directory = join(lab.directory, `prometheus-${count}`);
  await mkdir(directory);
  const webConfig = join(directory, 'web.yml');
  await writeFile(
    webConfig,
    `tls_server_config: {cert_file: ${lab.certFile}, key_file: ${lab.keyFile}}
basic_auth_users: {${lab.user}: ${lab.bcrypt}}
`,
  );
  const configure = (text: string): Promise<void> => writeFile(join(directory, 'prometheus.yml'), `${text}\n`);
  await configure(options.configuration ?? 'scrape_configs: []');
  const peer = await startPeer({
    lab,
    name: options.name,
    command: options.program,
    scheme: options.webConfig === true ? 'https' : 'http',
    readyPath: '/-/ready',
    ...(options.core === undefined ? {} : { core: options.core }),
    prepare: async (port) =>
      Promise.resolve([
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
        ...(options.webConfig === true ? [`--web.config.file=${webConfig}`] : []),
        ...(options.argv ?? []),
      ]),
  });
  const counted = async (): Promise<Record<string, number>> =>
    sumsBy(await pageOf(lab, `${peer.url}/metrics`), 'prometheus_http_requests_total', 'code');
  return { ...peer, counted, reconfigure: configure };
}

async function pageOf(lab: Lab, url: string): Promise<string> {
  if (url.startsWith('http:')) return (await fetch(url)).text();
  const agent = lab.agent();
  const { body } = await fetchOnce({ url, authorization: lab.authorization, agent });
  agent.destroy();
  return body.toString();
}

/** No proxy: Prometheus's own TLS and users (exporter-toolkit). */
export const barePrometheus: PeerKind = {
  name: 'Prometheus, web.yml',
  start: (lab) => startPrometheus(lab, { name: 'Prometheus, web.yml', program: STABLE(), webConfig: true }),
};
