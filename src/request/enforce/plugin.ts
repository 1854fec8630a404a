/** Step 4: narrows the question of an identity that may not see everything. Glue; nobody else pays for it. */
import fp from 'fastify-plugin';
import type { Config, IdentityRule } from '../../config/config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { BodyMemory } from '../body-memory.ts';
import type { Narrower } from './narrow.ts';

export interface EnforceOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly bodies: BodyMemory;
  /** The compiled narrowing-worker; default: the one beside this file. */
  readonly workerUrl?: URL;
}

export const enforcePlugin = fp<EnforceOptions>(
  async (app, { config, clock, bodies, workerUrl }) => {
    const restricted = (config.identities ?? []).filter(isRestricted);
    if (restricted.length === 0) return;
    // The grammar of PromQL and an engine for regular expressions: loaded by whom they are for.
    const [{ enforcementOf }, { narrow }, { createNarrowing }] = await Promise.all([
      import('./restriction.ts'),
      import('./narrow.ts'),
      import('./narrowing.ts'),
    ]);
    const narrowing = createNarrowing({ rules: restricted, clock, ...(workerUrl === undefined ? {} : { workerUrl }) });
    app.addHook('onClose', () => narrowing.close());
    const narrowers = new Map<IdentityRule, Narrower>();
    for (const rule of restricted) {
      const enforcement = enforcementOf(rule);
      if (enforcement === null) throw new Error(`nothing to enforce for ${rule.name}`);
      narrowers.set(rule, { rule, enforcement, narrowing, held: { bytes: 0 } });
    }
    app.addHook('onRequest', (request, reply, next) => {
      const claim = request.passage.identity?.claim;
      if (claim === undefined) throw new Error('enforce ran before authenticate');
      const rule = claim.kind === 'rule' ? claim.rule : null;
      const narrower = rule === null ? undefined : narrowers.get(rule);
      if (narrower !== undefined) narrow(request, reply, narrower, { clock, bodies }, next);
      else if (rule !== null && isRestricted(rule)) throw new Error(`nothing was made ready for ${rule.name}`);
      else next();
    });
  },
  { name: 'enforce', dependencies: ['authorize'] },
);

function isRestricted({ restriction, denyMatch }: IdentityRule): boolean {
  return restriction !== null || denyMatch.length > 0;
}
