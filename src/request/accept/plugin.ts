/**
 * Step 1: may this address speak at all? The peer of a direct connection was asked before TLS; here the client behind a
 * trusted proxy is asked. Then what the listener found wrong with the request, and the global rate limit.
 */
import fp from 'fastify-plugin';
import type { Clock } from '../../lib/clock.ts';
import { arrivalOf } from '../arrival.ts';
import type { HostAddresses } from './addresses.ts';
import { judgeClient } from './client.ts';
import { isPreflight, knownOrigin, preflightHeaders } from './cors.ts';
import { createRateLimiter } from './rate-limit.ts';
import type { Config } from '../../config/config.ts';

export interface AcceptOptions {
  readonly config: Config;
  readonly hosts: HostAddresses;
  readonly clock: Clock;
}

export const acceptPlugin = fp<AcceptOptions>(
  (app, { config, hosts, clock }, done) => {
    const limiter = createRateLimiter(config.rateLimit, clock);
    app.addHook('onRequest', (request, _reply, next) => {
      const { passage } = request;
      const { answer } = passage;
      const forwardedFor = request.headers['x-forwarded-for'];
      const header = Array.isArray(forwardedFor) ? forwardedFor.join(',') : forwardedFor;
      const client = judgeClient(passage.address, header, config.access, hosts);
      if (client.address !== null) passage.address = client.address;
      if (client.kind === 'refused') {
        answer.refuse(client.reason, client.detail === undefined ? {} : { detail: client.detail });
        return;
      }
      if (config.cors !== null) passage.origin = knownOrigin(request.headers.origin, config.cors);
      const { fault } = arrivalOf(request.raw);
      if (fault !== null) {
        answer.refuse(fault.reason, { detail: fault.detail });
        return;
      }
      const token = limiter.take();
      if (!token.ok) {
        answer.refuse('rate_limited', { retryAfterSeconds: Math.ceil(token.waitMs / 1000) });
        return;
      }
      if (
        config.cors !== null &&
        passage.origin !== null &&
        isPreflight(passage.target.method, request.headers['access-control-request-method'])
      ) {
        answer.open(204, preflightHeaders(request.headers['access-control-request-headers'], config.cors));
        answer.end();
        return;
      }
      next();
    });
    done();
  },
  { name: 'accept', dependencies: ['passage'] },
);
