/** A real Prometheus that is killed, hangs, is gone or replays its WAL: what the client sees, and what the log says. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { poll } from '../support/poll.ts';
import { findProgram, prometheusPrograms } from '../support/programs.ts';
import { startProcess } from '../support/processes.ts';
import { startPrometheus } from '../support/prometheus.ts';
import type { Prometheus } from '../support/prometheus.ts';
import { PASSWORD, USER, startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

function newestPrometheus(): string {
  return prometheusPrograms().at(-1)?.path ?? findProgram('prometheus');
}

describe('an upstream in trouble', () => {
  let prometheus: Prometheus;
  let scene: Scene;
  let deadPort: number;

  beforeAll(async () => {
    deadPort = await freePort();
    prometheus = await startPrometheus({
      scrapeConfigs: '- job_name: self\n  static_configs: [{targets: ["127.0.0.1:${port}"]}]',
    });
    await prometheus.waitFor('up == 1');
    scene = await startScene({
      yaml: `
upstreams:
  - {url: "${prometheus.url}", response_timeout: 1s, body_timeout: 1s}
  - {url: "http://127.0.0.1:${deadPort}", path_prefix: /dead, strip_prefix: true}
`,
    });
  });
  afterAll(async () => {
    await scene.stop();
    await prometheus.stop();
  });

  it('is 502 without its address when it refuses connections', async () => {
    const answer = await scene.ask('/dead/api/v1/query?query=up');
    expect(answer).toMatchObject({ status: 502, headers: { 'content-type': 'application/json' } });
    expect(JSON.parse(answer.body)).toMatchObject({ status: 'error' });
    expect(answer.body + JSON.stringify(answer.headers)).not.toContain(String(deadPort));
    expect(await scene.gate.metrics()).toMatch(/promgate_refused_total\{reason="upstream_unreachable"\} [1-9]/);
  });

  it('is 504 when it hangs, and serves again when it goes on', async () => {
    prometheus.process.signal('SIGSTOP');
    try {
      expect(await scene.ask('/federate?match[]=up')).toMatchObject({ exit: 0, status: 504 });
    } finally {
      prometheus.process.signal('SIGCONT');
    }
    const healed = await poll('a good answer', async () => {
      const answer = await scene.ask('/federate?match[]=up');
      return answer.status === 200 && answer;
    });
    expect(healed.body).toContain('up{');
  });

  it.each(['--http1.1', '--http2'])(
    'is an error for the client, never a short answer, when it is killed in the middle of a body (%s)',
    async (version) => {
      // A stream of events: its headers come at once and its body never ends, so the kill falls into the body.
      const victim = await startPrometheus({ program: newestPrometheus() });
      const around = await startScene({ yaml: `upstreams: [{url: "${victim.url}"}]` });
      try {
        const argv = ['-q', '-sS', '-N', '-D', '-', version, '--cacert', around.authority.certFile, '--max-time', '20'];
        const url = `${around.gate.url}/api/v1/notifications/live`;
        const running = startProcess(findProgram('curl'), [...argv, '-u', `${USER}:${PASSWORD}`, url]);
        await poll('the headers of the answer', () => running.stdout().includes(' 200'));
        await victim.process.kill();
        const { code } = await running.exited;
        expect([18, 56, 92]).toContain(code);
      } finally {
        await around.stop();
        await victim.stop();
      }
    },
  );

  it('is 502, then what it says itself while it replays its WAL, then 200, when it is killed and comes back', async () => {
    const statuses = new Set<number>();
    const watch = async (until: () => boolean): Promise<void> => {
      while (!until()) statuses.add((await scene.ask('/federate?match[]=up')).status);
    };
    await prometheus.process.kill();
    expect(await scene.ask('/federate?match[]=up')).toMatchObject({ status: 502 });
    let isBack = false;
    const [again] = await Promise.all([
      startPrometheus({ port: prometheus.port, directory: prometheus.directory }).then((server) => {
        isBack = true;
        return server;
      }),
      watch(() => isBack),
    ]);
    prometheus = again;
    expect(await scene.ask('/federate?match[]=up')).toMatchObject({ status: 200 });
    // 503 is the answer of a Prometheus that replays; whether it is caught here depends on how long that takes.
    for (const status of statuses) expect([200, 502, 503]).toContain(status);
  });

  it('says up and down in its own metric', async () => {
    const states = await poll('promgate_upstream_up of both', async () => {
      const text = await scene.gate.metrics();
      return text.match(/promgate_upstream_up\{[^}]*\} [01]/g);
    });
    expect(states.sort()).toEqual(
      [
        `promgate_upstream_up{upstream="http://127.0.0.1:${deadPort}"} 0`,
        `promgate_upstream_up{upstream="${prometheus.url}"} 1`,
      ].sort(),
    );
  });
});
