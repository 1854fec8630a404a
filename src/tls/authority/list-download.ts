/**
 * Fetches a revocation list over https: from the one place that the operator wrote, verified by the CA that he wrote.
 * No redirect, no credentials, one deadline over all, and no more bytes than any fleet revokes.
 */
import { request } from 'node:https';
import { isIP } from 'node:net';
import type { Clock } from '../../lib/clock.ts';

const DEADLINE_MS = 10_000;
/** Some 50 000 revoked certificates. */
const MOST_BYTES = 2 * 1024 * 1024;

export type Download = (from: { readonly url: string; readonly ca: string }) => Promise<string>;

/** @returns a function that gives the body of a 200. Its Error says why there is none, in words for a log. */
export function createDownload(clock: Clock): Download {
  return ({ url: text, ca }) => {
    // An empty list of CAs would mean those of the system.
    if (ca === '') return Promise.reject(new Error('there is no CA to verify the server by'));
    const url = new URL(text);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    return new Promise((resolve, reject) => {
      const options = {
        host,
        port: url.port === '' ? 443 : Number(url.port),
        path: url.pathname + url.search,
        // RFC 6066 §3: no address is a server name.
        ...(isIP(host) === 0 ? { servername: host } : {}),
        ca,
        rejectUnauthorized: true,
        agent: false as const,
        headers: { 'user-agent': 'promgate', accept: '*/*' },
      };
      const asked = request(options, (response) => {
        const { statusCode = 0, headers } = response;
        if (statusCode !== 200) {
          fail(new Error(`the answer is ${String(statusCode)}`));
          return;
        }
        if (Number(headers['content-length'] ?? 0) > MOST_BYTES) {
          fail(new Error('the list is larger than 2 MiB'));
          return;
        }
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MOST_BYTES) fail(new Error('the list is larger than 2 MiB'));
          else chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('aborted', () => {
          fail(new Error('the answer broke off'));
        });
        response.on('end', () => {
          if (!response.complete) return;
          deadline.cancel();
          resolve(Buffer.concat(chunks).toString('latin1'));
        });
      });
      const fail = (error: NodeJS.ErrnoException): void => {
        deadline.cancel();
        reject(new Error(error.code ?? error.message));
        asked.destroy();
      };
      const deadline = clock.after(DEADLINE_MS, () => {
        fail(new Error('no whole answer within 10 s'));
      });
      asked.on('error', fail);
      asked.end();
    });
  };
}
