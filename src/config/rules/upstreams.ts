/** Rules within one upstream and between them. */
import type { Problem } from '../../lib/problem.ts';
import { ENDPOINTS } from '../../request/endpoints.ts';
import type { RawUpstream } from '../schema.ts';
import { isLocal } from './exposure.ts';
import { error, warning } from './rule.ts';
import type { Rule } from './rule.ts';

export const upstreamRule: Rule = ({ raw }) => {
  if (raw.upstreams.length === 0) {
    const hint = 'remove the key for the default, http://127.0.0.1:9090';
    return [error('upstreams is empty', ['upstreams'], { at: 'key', hint })];
  }
  const found: Problem[] = [];
  for (const [index, upstream] of raw.upstreams.entries()) {
    const twin = raw.upstreams.findIndex(({ path_prefix: prefix }) => prefix === upstream.path_prefix);
    if (twin < index) {
      const message = `upstreams[${String(twin)}] has the path_prefix ${JSON.stringify(upstream.path_prefix)} already`;
      found.push(error(message, ['upstreams', index, 'path_prefix'], { at: 'map' }));
    }
    found.push(
      ...kindProblems(upstream, index),
      ...prefixProblems(upstream, index),
      ...transportProblems(upstream, index),
      ...grantProblems(upstream, index),
    );
  }
  return found;
};

function kindProblems(upstream: RawUpstream, index: number): Problem[] {
  const { url, kind, path_prefix: prefix, strip_prefix: strip } = upstream;
  const found = cookieProblems(upstream, index);
  if (url.address.kind === 'self' && kind !== undefined && kind !== 'exporter') {
    const message = `self serves the metrics of the gate, its kind is exporter, not ${kind}`;
    found.push(error(message, ['upstreams', index, 'kind'], { hint: 'remove kind' }));
  }
  if (strip && prefix === '/') {
    found.push(
      warning('strip_prefix has no effect: path_prefix is /', ['upstreams', index, 'strip_prefix'], { at: 'key' }),
    );
  }
  return found;
}

function cookieProblems({ kind, pass_cookies: isOn, share, max_age: maxAge }: RawUpstream, index: number): Problem[] {
  if (!isOn) return [];
  const at = ['upstreams', index, 'pass_cookies'];
  if (kind !== 'any') return [error('pass_cookies belongs to kind: any', at, { at: 'key' })];
  if (share !== 'across_identities' && maxAge === 0) return [];
  const [key, what] = maxAge > 0 ? ['max_age', 'given again'] : ['share', 'shared by all'];
  const message = `pass_cookies beside ${key}: an answer that a cookie decides about would be ${what}`;
  return [error(message, at, { at: 'key', hint: 'remove one of the two' })];
}

/** First segments that a Prometheus or an exporter has paths of its own below; `-` and `debug` are never listed. */
const OWN_SEGMENTS: ReadonlySet<string> = new Set(
  ['/-/', '/debug/', ...Object.values(ENDPOINTS).flatMap((rows) => rows.map(({ path }) => path))].map(firstSegment),
);

function firstSegment(path: string): string {
  return path.split('/', 2)[1] ?? '';
}

/**
 * Judged is what is sent: without strip_prefix the upstream gets the whole path, and the table judges what is below the
 * prefix. `path_prefix: /api/v1/status` would make the secret `/api/v1/status/config` the harmless `/config`.
 */
function prefixProblems(upstream: RawUpstream, index: number): Problem[] {
  const { url, kind, path_prefix: prefix, strip_prefix: strip } = upstream;
  // `any` has no table to be misled, and `self` is only ever asked below its prefix.
  if (prefix === '/' || strip || kind === 'any' || url.address.kind === 'self') return [];
  if (!OWN_SEGMENTS.has(firstSegment(prefix))) return [];
  const message = `path_prefix ${JSON.stringify(prefix)} is a path of the upstream itself`;
  const hint = 'choose another prefix with strip_prefix: true, or the route prefix under which the upstream serves';
  return [error(message, ['upstreams', index, 'path_prefix'], { hint })];
}

function transportProblems(upstream: RawUpstream, index: number): Problem[] {
  const { url, tls_config: tls, authorization, basic_auth: basic } = upstream;
  const { address } = url;
  const found: Problem[] = [];
  const at = ['upstreams', index];
  if (tls !== undefined && address.kind !== 'https') {
    found.push(error('tls_config belongs to an https URL', [...at, 'tls_config'], { at: 'key' }));
  }
  if ((tls?.cert_file === undefined) !== (tls?.key_file === undefined)) {
    const [there, lacks] = tls?.key_file === undefined ? ['cert_file', 'key_file'] : ['key_file', 'cert_file'];
    found.push(error(`${there} needs ${lacks}`, [...at, 'tls_config', there], { at: 'key' }));
  }
  if (authorization !== undefined && basic !== undefined) {
    found.push(
      error('basic_auth beside authorization: one Authorization header has room for one', [...at, 'basic_auth'], {
        at: 'key',
      }),
    );
  }
  const [credentials] = [authorization && 'authorization', basic && 'basic_auth'].filter((key) => key !== undefined);
  if (credentials === undefined) return found;
  if (address.kind === 'self') {
    found.push(error(`${credentials} has no effect: self asks nobody`, [...at, credentials], { at: 'key' }));
  } else if (address.kind === 'http' && !isLocal({ kind: 'tcp', host: address.host, port: address.port, text: '' })) {
    const message = `${credentials} goes over the network in the clear`;
    found.push(warning(message, [...at, 'url'], { hint: 'use https' }));
  }
  return found;
}

function grantProblems({ kind, also_allow: grants }: RawUpstream, index: number): Problem[] {
  const path = ['upstreams', index, 'also_allow'];
  if (kind === 'any' && grants.length > 0) {
    return [warning('also_allow has no effect: kind any allows everything', path, { at: 'key' })];
  }
  return grants.flatMap(({ methods }, item) =>
    methods.length === 0
      ? [error('methods is empty', [...path, item, 'methods'], { at: 'key', hint: 'write ["*"] for every method' })]
      : [],
  );
}
