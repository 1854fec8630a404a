/** The gate's metrics as the body of an answer, compressed where the client takes it. Compression runs off the main thread. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { GateMetrics } from './metrics.ts';

const compress = promisify(gzip);
/** Below this the headers of gzip and a trip to the thread pool cost more than they save. */
const WORTH_COMPRESSING = 1024;

export interface Exposition {
  /** Lower-case names. */
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** RFC 9110 §12.5.3: gzip by name, or by `*`, unless its weight is 0. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  let byName: boolean | null = null;
  let byStar = false;
  for (const item of (acceptEncoding ?? '').toLowerCase().split(',')) {
    const [coding, ...parameters] = item.split(';').map((part) => part.trim());
    const accepted = !parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter));
    if (coding === 'gzip' || coding === 'x-gzip') byName = accepted;
    else if (coding === '*') byStar = accepted;
  }
  return byName ?? byStar;
}

/** @param acceptEncoding the request header; several are joined with a comma. */
export async function renderExposition(
  metrics: Pick<GateMetrics, 'expose'>,
  acceptEncoding: string | undefined,
): Promise<Exposition> {
  const { contentType, body } = await metrics.expose();
  const plain = Buffer.from(body);
  const headers = { 'content-type': contentType, vary: 'accept-encoding' };
  if (plain.length <= WORTH_COMPRESSING || !acceptsGzip(acceptEncoding)) {
    return { headers: { ...headers, 'content-length': String(plain.length) }, body: plain };
  }
  const packed = await compress(plain);
  return {
    headers: { ...headers, 'content-encoding': 'gzip', 'content-length': String(packed.length) },
    body: packed,
  };
}
