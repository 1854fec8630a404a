/**
 * The series that a request leaves behind. Labels are bounded: an upstream or identity that the running configuration
 * does not name is counted as `other`, so that neither a stranger nor a chain of reloads grows the registry.
 */
import { STATUS_CODES } from 'node:http';
import type { Counter, Histogram } from 'prom-client';
import { NO_LABEL, OTHER_LABEL } from './metric-list.ts';
import type { RequestRecord } from './ports.ts';

export interface RequestInstruments {
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly bytesIn: Counter;
  readonly bytesOut: Counter;
}

export interface RequestSeries {
  record(record: RequestRecord): void;
  /** Names what may be a label from now on, and removes the series of what is gone. */
  keep(upstreams: ReadonlySet<string>, identities: ReadonlySet<string>): void;
}

interface IdentityChildren {
  readonly bytesIn: Counter.Internal;
  readonly bytesOut: Counter.Internal;
  readonly codes: Map<string, Counter.Internal>;
}

interface UpstreamChildren {
  readonly duration: Histogram.Internal<string>;
  readonly identities: Map<string, IdentityChildren>;
}

/** nginx's code for a client that left before the answer. */
const CLIENT_CLOSED_REQUEST = 499;

function codeLabel(status: number): string {
  return STATUS_CODES[status] !== undefined || status === CLIENT_CLOSED_REQUEST ? String(status) : OTHER_LABEL;
}

function bounded(name: string, known: ReadonlySet<string>): string {
  if (name === '' || name === NO_LABEL) return NO_LABEL;
  return known.has(name) ? name : OTHER_LABEL;
}

/** prom-client throws on what is not a number; an observation must never fail a request. */
function countOf(value: number): number {
  return value > 0 && Number.isFinite(value) ? value : 0;
}

export function createRequestSeries(instruments: RequestInstruments): RequestSeries {
  const upstreams = new Map<string, UpstreamChildren>();
  let knownUpstreams: ReadonlySet<string> = new Set();
  let knownIdentities: ReadonlySet<string> = new Set();

  const upstreamChildren = (upstream: string): UpstreamChildren => {
    let children = upstreams.get(upstream);
    if (children === undefined) {
      children = { duration: instruments.duration.labels({ upstream }), identities: new Map() };
      upstreams.set(upstream, children);
    }
    return children;
  };

  const identityChildren = (of: UpstreamChildren, upstream: string, identity: string): IdentityChildren => {
    let children = of.identities.get(identity);
    if (children === undefined) {
      const labels = { upstream, identity };
      children = {
        bytesIn: instruments.bytesIn.labels(labels),
        bytesOut: instruments.bytesOut.labels(labels),
        codes: new Map(),
      };
      of.identities.set(identity, children);
    }
    return children;
  };

  const forgetIdentity = (upstream: string, identity: string, children: IdentityChildren): void => {
    instruments.bytesIn.remove({ upstream, identity });
    instruments.bytesOut.remove({ upstream, identity });
    for (const code of children.codes.keys()) instruments.requests.remove({ upstream, code, identity });
  };

  return {
    record({ upstream: upstreamName, identity: identityName, status, durationSeconds, bytesIn, bytesOut }) {
      const upstream = bounded(upstreamName, knownUpstreams);
      const identity = bounded(identityName, knownIdentities);
      const ofUpstream = upstreamChildren(upstream);
      const ofIdentity = identityChildren(ofUpstream, upstream, identity);
      const code = codeLabel(status);
      let requests = ofIdentity.codes.get(code);
      if (requests === undefined) {
        requests = instruments.requests.labels({ upstream, code, identity });
        ofIdentity.codes.set(code, requests);
      }
      requests.inc();
      ofUpstream.duration.observe(countOf(durationSeconds));
      ofIdentity.bytesIn.inc(countOf(bytesIn));
      ofIdentity.bytesOut.inc(countOf(bytesOut));
    },
    keep(newUpstreams, newIdentities) {
      knownUpstreams = newUpstreams;
      knownIdentities = newIdentities;
      const stays = (name: string, known: ReadonlySet<string>): boolean =>
        name === NO_LABEL || name === OTHER_LABEL || known.has(name);
      for (const [upstream, children] of upstreams) {
        for (const [identity, ofIdentity] of children.identities) {
          if (stays(upstream, newUpstreams) && stays(identity, newIdentities)) continue;
          forgetIdentity(upstream, identity, ofIdentity);
          children.identities.delete(identity);
        }
        if (stays(upstream, newUpstreams)) continue;
        instruments.duration.remove({ upstream });
        upstreams.delete(upstream);
      }
    },
  };
}
