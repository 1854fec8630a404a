/**
 * Registers the six steps in the order of a request, and nothing else. Each names itself and its predecessor, so that a
 * wrong order refuses to boot.
 */
import type { FastifyInstance } from 'fastify';
import { acceptPlugin } from './accept/plugin.ts';
import type { AcceptOptions } from './accept/plugin.ts';
import { authenticatePlugin } from './authenticate/plugin.ts';
import type { AuthenticateOptions } from './authenticate/plugin.ts';
import { authorizePlugin } from './authorize/plugin.ts';
import { enforcePlugin } from './enforce/plugin.ts';
import type { EnforceOptions } from './enforce/plugin.ts';
import { forwardPlugin } from './forward/plugin.ts';
import type { ForwardOptions } from './forward/plugin.ts';
import { respondPlugin } from './respond/plugin.ts';
import type { RespondOptions } from './respond/plugin.ts';

export interface StepOptions {
  readonly respond: RespondOptions;
  readonly accept: AcceptOptions;
  readonly authenticate: AuthenticateOptions;
  readonly enforce: EnforceOptions;
  readonly forward: ForwardOptions;
}

export async function registerSteps(app: FastifyInstance, options: StepOptions): Promise<void> {
  await app.register(respondPlugin, options.respond);
  await app.register(acceptPlugin, options.accept);
  await app.register(authenticatePlugin, options.authenticate);
  await app.register(authorizePlugin);
  await app.register(enforcePlugin, options.enforce);
  await app.register(forwardPlugin, options.forward);
}
