/** Step 3: may they do this? Glue between the request and the pure decision of this folder. */
import fp from 'fastify-plugin';
import { grant } from './grant.ts';

export const authorizePlugin = fp(
  (app, _options, done) => {
    app.addHook('onRequest', (request, _reply, next) => {
      const { passage } = request;
      const { target, answer, identity, address, config } = passage;
      if (identity === null) throw new Error('authorize ran before authenticate');
      const granted = grant({ upstreams: config.upstreams, target, identity, address });
      passage.upstream = granted.upstream;
      passage.kindPath = granted.kindPath ?? target.path;
      passage.endpointClass = granted.endpointClass;
      if (granted.kind === 'refused') answer.refuse(granted.reason, granted.details);
      else next();
    });
    done();
  },
  { name: 'authorize', dependencies: ['authenticate'] },
);
