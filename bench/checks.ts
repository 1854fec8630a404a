/** Nothing is measured before it is known to do the work: strangers refused, bodies whole. */
import { gunzipSync } from 'node:zlib';
import { fetchOnce } from './load.ts';
import type { Lab } from './lab.ts';

/** @throws Error when a wrong password or none is not answered 401. */
export async function checkRefusals(lab: Lab, name: string, url: string): Promise<void> {
  const agent = lab.agent();
  for (const authorization of [lab.wrongAuthorization, 'Basic Og==']) {
    const { status } = await fetchOnce({ url, authorization, agent });
    if (status !== 401) throw new Error(`${name} answers a wrong password with ${status}`);
  }
  agent.destroy();
}

export interface Expected {
  readonly status?: number;
  readonly body: Buffer;
  readonly acceptEncoding?: string;
}

/** @throws Error when the right password does not get exactly this body. */
export async function checkBody(lab: Lab, name: string, url: string, expected: Expected): Promise<void> {
  const { acceptEncoding = 'identity' } = expected;
  const agent = lab.agent();
  const headers = { 'accept-encoding': acceptEncoding };
  const got = await fetchOnce({ url, authorization: lab.authorization, agent, headers });
  agent.destroy();
  const body = got.headers['content-encoding'] === 'gzip' ? gunzipSync(got.body) : got.body;
  if (got.status === (expected.status ?? 200) && body.equals(expected.body)) return;
  throw new Error(`${name} answers ${got.status} with ${body.length} bytes, not 200 with ${expected.body.length}`);
}
