/** The gate's metrics as the body of an answer, compressed where the client takes it. Compression runs off the main thread. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { acceptsGzip } from '../request/message.ts';
import type { GateMetrics } from './metrics.ts';

const compress = promisify(gzip);
/** Below this the headers of gzip and a trip to the thread pool cost more than they save. */
const WORTH_COMPRESSING = 1024;

export interface Exposition {
  /** Lower-case names. */
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** @param acceptEncoding the request header; several are joined with a comma. */
export async function renderExposition(
  metrics: Pick<GateMetrics, 'expose'>,
  acceptEncoding: string | undefined,
): Promise<Exposition> {
  return packed(await metrics.expose(), acceptEncoding);
}

/** A text with its headers, compressed where that is worth it and taken. */
export async function packed(
  { contentType, body }: { readonly contentType: string; readonly body: string },
  acceptEncoding: string | undefined,
): Promise<Exposition> {
  const plain = Buffer.from(body);
  const headers = { 'content-type': contentType, vary: 'accept-encoding' };
  if (plain.length <= WORTH_COMPRESSING || !acceptsGzip(acceptEncoding)) {
    return { headers: { ...headers, 'content-length': String(plain.length) }, body: plain };
  }
  const small = await compress(plain);
  return {
    headers: { ...headers, 'content-encoding': 'gzip', 'content-length': String(small.length) },
    body: small,
  };
}
