/** A gate behind proxies, and in front of an exporter that is asked by HEAD: what clients and operators see. */
import { afterEach, describe, expect, it } from 'vitest';
import { curl } from '../support/curl.ts';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { startNodeExporter } from '../support/node-exporter.ts';
import { poll } from '../support/poll.ts';

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function gateWith(yaml: string): Promise<Gate> {
  const gate = await startGate({
    scheme: 'http',
    config: ({ port, adminPort }) => `listen_addresses: ["127.0.0.1:${String(port)}"]
admin_address: 127.0.0.1:${String(adminPort)}
authenticate: none
${yaml}
`,
  });
  stops.push(() => gate.stop());
  return gate;
}

const PROXY = '127.0.0.9';
const CLIENT = '203.0.113.7';

describe('a trusted proxy that is not in allow', () => {
  it('is shut out with everyone behind it, and check and explain say so', async () => {
    const gate = await gateWith(`allow: [${CLIENT}]
trusted_proxies: [${PROXY}]
upstreams: [{url: self}]`);
    const url = `http://127.0.0.1:${String(gate.port)}/metrics`;
    const asked = await curl('--interface', PROXY, '--header', `X-Forwarded-For: ${CLIENT}`, url);
    expect(asked.status).toBe(0);
    const checked = await gate.command('check');
    expect(checked.stderr).toContain(`warning: ${PROXY} is not in allow: the proxy cannot connect`);
    const behind = await gate.command('explain', `--from=${CLIENT}`, `--via=${PROXY}`, 'GET', '/metrics');
    expect(behind).toMatchObject({ code: 1 });
    expect(behind.stdout).toContain(`connect      REFUSES  ${PROXY} is not in allow`);
    const direct = await gate.command('explain', `--from=${CLIENT}`, 'GET', '/metrics');
    expect(direct.stdout).toContain('a proxy in front of it must be in allow too (--via=PROXY)');
    expect(direct.stderr).toContain(`${PROXY} is not in allow`);
  });

  it('is heard once it is there, with ports and brackets in its hops', async () => {
    const gate = await gateWith(`allow: [${CLIENT}, 2001:db8::7, ${PROXY}]
trusted_proxies: [${PROXY}]
upstreams: [{url: self}]`);
    const ask = async (hop: string): Promise<number> => {
      const url = `http://127.0.0.1:${String(gate.port)}/metrics`;
      return (await curl('--interface', PROXY, '--header', `X-Forwarded-For: ${hop}`, url)).status;
    };
    for (const hop of [CLIENT, `${CLIENT}:50123`, '[2001:db8::7]', '[2001:db8::7]:443', `198.51.100.1, ${CLIENT}:1`]) {
      expect(await ask(hop), hop).toBe(200);
    }
    expect(await ask('198.51.100.1:50123')).toBe(403);
    expect(await ask(`${CLIENT}:x`)).toBe(400);
    const refused = await poll('the refusal is logged', () => /msg="request refused".*/.exec(gate.logs())?.[0]);
    expect(refused).toContain(' address=198.51.100.1 ');
  });
});

it('HEAD of an exporter is answered as the exporter answers it', async () => {
  const exporter = await startNodeExporter();
  stops.push(() => exporter.stop());
  const gate = await gateWith(`upstreams:
  - {url: "${exporter.url}", kind: exporter}
  - {url: self, path_prefix: /gate}`);
  for (const path of ['/metrics', '/']) {
    const direct = await curl('--head', `${exporter.url}${path}`);
    const through = await curl('--head', `${gate.url}${path}`);
    expect(direct.status).toBe(200);
    expect(through).toMatchObject({ exit: 0, status: 200 });
    expect(through.headers['content-type']).toBe(direct.headers['content-type']);
  }
  for (const path of ['/gate/metrics', '/gate/']) {
    expect(await curl('--head', `${gate.url}${path}`)).toMatchObject({ exit: 0, status: 200 });
  }
  // Prometheus has no HEAD there.
  expect((await curl('--head', `${gate.url}/gate/federate`)).status).toBe(405);
});
