/** A real node_exporter on a free port, with the few collectors that work everywhere. */
import { findProgram } from './programs.ts';
import type { RunningProcess } from './processes.ts';
import { startServerProcess } from './server-process.ts';

export interface NodeExporter {
  readonly url: string;
  readonly port: number;
  readonly process: RunningProcess;
  stop(): Promise<void>;
}

export async function startNodeExporter(argv: readonly string[] = []): Promise<NodeExporter> {
  const server = await startServerProcess({
    command: findProgram('prometheus-node-exporter'),
    argv: (port) => [
      `--web.listen-address=127.0.0.1:${port}`,
      '--collector.disable-defaults',
      '--collector.uname',
      '--collector.time',
      ...argv,
    ],
    readyPath: '/metrics',
  });
  return {
    ...server,
    async stop() {
      await server.process.stop();
    },
  };
}
