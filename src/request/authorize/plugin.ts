/** Step 3: may they do this? Glue between the request and the pure decisions of this folder. */
import fp from 'fastify-plugin';
import { judgeIdentity } from './identity-rules.ts';
import { judgeKind } from './kind-table.ts';
import { chooseRoute } from './route.ts';

export const authorizePlugin = fp(
  (app, _options, done) => {
    app.addHook('onRequest', (request, _reply, next) => {
      const { passage } = request;
      const { target, answer, identity } = passage;
      if (identity === null) throw new Error('authorize ran before authenticate');
      const route = chooseRoute(passage.config.upstreams, target.path);
      if (route === null) {
        answer.refuse('path_unknown', { detail: 'no upstream has a path_prefix for it' });
        return;
      }
      passage.upstream = route.upstream;
      passage.kindPath = route.kindPath;
      const verdict = judgeKind(route.upstream, target.method, route.kindPath);
      if (verdict.kind === 'unknown') {
        answer.refuse('path_unknown');
        return;
      }
      if (verdict.kind === 'wrongMethod') {
        answer.refuse('method_not_allowed', { allow: verdict.allow });
        return;
      }
      passage.endpointClass = verdict.class;
      const reason = judgeIdentity(identity, {
        address: passage.address,
        path: target.path,
        endpointClass: verdict.class,
      });
      if (reason !== null) {
        answer.refuse(reason);
        return;
      }
      next();
    });
    done();
  },
  { name: 'authorize', dependencies: ['authenticate'] },
);
