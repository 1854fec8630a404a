/**
 * The series that a request leaves behind. Labels are bounded: an upstream or identity that the running configuration
 * does not name is counted as `other`, so that neither a stranger nor a chain of reloads grows the registry.
 */
import { STATUS_CODES } from 'node:http';
import type { Counter } from 'prom-client';
import { NO_LABEL, OTHER_LABEL } from './metric-list.ts';
import type { Observer, OneLabelHistogram } from './one-label-histogram.ts';
import type { RequestRecord } from './ports.ts';
import type { Tallies, Tally } from './tally.ts';

export interface RequestInstruments {
  readonly requests: Counter;
  readonly duration: OneLabelHistogram;
  readonly bytesIn: Counter;
  readonly bytesOut: Counter;
}

export interface RequestSeries {
  record(record: RequestRecord): void;
  /** Names what may be a label from now on, and removes the series of what is gone. */
  keep(upstreams: ReadonlySet<string>, identities: ReadonlySet<string>): void;
}

interface IdentityChildren {
  readonly bytesIn: Tally;
  readonly bytesOut: Tally;
  readonly codes: Map<string, Tally>;
  /** The same, found without making a label of the number. */
  readonly byStatus: Map<number, Tally>;
}

interface UpstreamChildren {
  readonly duration: Observer;
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

export function createRequestSeries(instruments: RequestInstruments, tallies: Tallies): RequestSeries {
  const upstreams = new Map<string, UpstreamChildren>();
  let knownUpstreams: ReadonlySet<string> = new Set();
  let knownIdentities: ReadonlySet<string> = new Set();

  const upstreamChildren = (upstream: string): UpstreamChildren => {
    let children = upstreams.get(upstream);
    if (children === undefined) {
      children = { duration: instruments.duration.of(upstream), identities: new Map() };
      upstreams.set(upstream, children);
    }
    return children;
  };

  const identityChildren = (of: UpstreamChildren, upstream: string, identity: string): IdentityChildren => {
    let children = of.identities.get(identity);
    if (children === undefined) {
      const labels = { upstream, identity };
      children = {
        bytesIn: tallies.of(instruments.bytesIn.labels(labels)),
        bytesOut: tallies.of(instruments.bytesOut.labels(labels)),
        codes: new Map(),
        byStatus: new Map(),
      };
      of.identities.set(identity, children);
    }
    return children;
  };

  const forgetIdentity = (upstream: string, identity: string, children: IdentityChildren): void => {
    instruments.bytesIn.remove({ upstream, identity });
    instruments.bytesOut.remove({ upstream, identity });
    for (const code of children.codes.keys()) instruments.requests.remove({ upstream, code, identity });
    for (const tally of [children.bytesIn, children.bytesOut, ...children.codes.values()]) tallies.forget(tally);
  };

  const requestsTally = (children: IdentityChildren, upstream: string, identity: string, status: number): Tally => {
    const code = codeLabel(status);
    let tally = children.codes.get(code);
    if (tally === undefined) {
      tally = tallies.of(instruments.requests.labels({ upstream, code, identity }));
      children.codes.set(code, tally);
    }
    // As many as there are codes with a label of their own, and not one for each number that an upstream may send.
    if (code !== OTHER_LABEL) children.byStatus.set(status, tally);
    return tally;
  };

  return {
    record({ upstream: upstreamName, identity: identityName, status, durationSeconds, bytesIn, bytesOut }) {
      const upstream = bounded(upstreamName, knownUpstreams);
      const identity = bounded(identityName, knownIdentities);
      const ofUpstream = upstreamChildren(upstream);
      const ofIdentity = identityChildren(ofUpstream, upstream, identity);
      (ofIdentity.byStatus.get(status) ?? requestsTally(ofIdentity, upstream, identity, status)).add(1);
      ofUpstream.duration.observe(durationSeconds);
      ofIdentity.bytesIn.add(bytesIn);
      ofIdentity.bytesOut.add(bytesOut);
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
        instruments.duration.remove(upstream);
        upstreams.delete(upstream);
      }
    },
  };
}
