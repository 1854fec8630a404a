/**
 * Step 6: what Fastify itself would answer (its errors, a route that does not exist) goes through the Answer too. No
 * stack and no message of an error reaches the client.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { DenyReason } from '../deny-reasons.ts';
import type { Passage } from '../passage.ts';

/** Nothing to choose. */
export type RespondOptions = Record<never, never>;

/** How much of a stack the log keeps. */
const STACK_LINES = 4;

const REASONS: Readonly<Record<number, DenyReason>> = {
  400: 'bad_http',
  404: 'path_unknown',
  405: 'method_not_allowed',
  413: 'body_too_large',
  415: 'media_type',
};

export const respondPlugin = fp<RespondOptions>(
  (app, _options, done) => {
    app.setErrorHandler((error: FastifyError, request, reply) => {
      const reason = REASONS[error.statusCode ?? 500] ?? 'internal_error';
      const stack = error.stack?.split('\n', STACK_LINES).join(' ') ?? String(error);
      refuse(request, reply, reason, reason === 'internal_error' ? stack : error.code);
    });
    app.setNotFoundHandler((request, reply) => {
      refuse(request, reply, 'path_unknown', 'no route');
    });
    done();
  },
  { name: 'respond' },
);

function refuse(request: FastifyRequest, reply: FastifyReply, reason: DenyReason, detail: string): void {
  reply.hijack();
  const passage = request.passage as Passage | undefined;
  // Nobody may be answered past the steps: without a passage there is only the end of the connection.
  if (passage === undefined) reply.raw.destroy();
  else passage.answer.refuse(reason, { detail });
}
