/** The series that a scrape leaves behind, by upstream and identity. Bounded like those of requests. */
import type { Counter, Gauge } from 'prom-client';
import { NO_LABEL, OTHER_LABEL } from './metric-list.ts';
import type { Observer, OneLabelHistogram } from './one-label-histogram.ts';
import type { ScrapeObservation } from './ports.ts';
import type { Tallies, Tally } from './tally.ts';

export interface ScrapeInstruments {
  readonly scrapes: Counter;
  readonly samples: Counter;
  readonly bytes: Counter;
  readonly series: Gauge;
  readonly duration: OneLabelHistogram;
  readonly firstByte: OneLabelHistogram;
  readonly lastSeen: Gauge;
}

export interface ScrapeSeries {
  record(observation: ScrapeObservation): void;
  /** @param lastSeen milliseconds since the epoch, by label. */
  tellLastSeen(lastSeen: ReadonlyMap<string, number>): void;
  /** Names what may be a label from now on, and removes the series of what is gone. */
  keep(upstreams: ReadonlySet<string>, identities: ReadonlySet<string>): void;
}

interface UpstreamChildren {
  readonly bytes: Tally;
  /** Made with the first number: what is not countable has no series. */
  samples: Tally | null;
  readonly scrapes: Map<string, Tally>;
  /** What the gauge says; null: nothing yet. */
  series: number | null;
}

interface IdentityChildren {
  readonly duration: Observer;
  firstByte: Observer | null;
  readonly upstreams: Map<string, UpstreamChildren>;
}

export function createScrapeSeries(instruments: ScrapeInstruments, tallies: Tallies): ScrapeSeries {
  const { scrapes, samples, bytes, series, duration, firstByte, lastSeen } = instruments;
  const present = new Map<string, IdentityChildren>();
  let knownUpstreams: ReadonlySet<string> = new Set();
  let knownIdentities: ReadonlySet<string> = new Set();

  const identityChildren = (identity: string): IdentityChildren => {
    let children = present.get(identity);
    if (children === undefined) {
      children = { duration: duration.of(identity), firstByte: null, upstreams: new Map() };
      present.set(identity, children);
    }
    return children;
  };

  const upstreamChildren = (of: IdentityChildren, upstream: string, identity: string): UpstreamChildren => {
    let children = of.upstreams.get(upstream);
    if (children === undefined) {
      const tally = tallies.of(bytes.labels({ upstream, identity }));
      children = { bytes: tally, samples: null, scrapes: new Map(), series: null };
      of.upstreams.set(upstream, children);
    }
    return children;
  };

  const scrapesTally = (of: UpstreamChildren, upstream: string, identity: string, sharing: string): Tally => {
    let tally = of.scrapes.get(sharing);
    if (tally === undefined) {
      tally = tallies.of(scrapes.labels({ upstream, identity, sharing }));
      of.scrapes.set(sharing, tally);
    }
    return tally;
  };

  const forget = (upstream: string, identity: string, children: UpstreamChildren): void => {
    for (const [sharing, tally] of children.scrapes) {
      tallies.forget(tally);
      scrapes.remove({ upstream, identity, sharing });
    }
    for (const tally of [children.bytes, children.samples]) if (tally !== null) tallies.forget(tally);
    for (const instrument of [samples, bytes, series]) instrument.remove({ upstream, identity });
  };

  return {
    record({ upstream: upstreamName, identity: identityName, scrape, durationSeconds, isWhole }) {
      const upstream = bounded(upstreamName, knownUpstreams);
      const identity = bounded(identityName, knownIdentities);
      const ofIdentity = identityChildren(identity);
      const children = upstreamChildren(ofIdentity, upstream, identity);
      scrapesTally(children, upstream, identity, scrape.sharing).add(1);
      children.bytes.add(scrape.bytes);
      ofIdentity.duration.observe(durationSeconds);
      if (scrape.firstByteMs !== null) {
        ofIdentity.firstByte ??= firstByte.of(identity);
        ofIdentity.firstByte.observe(scrape.firstByteMs / 1000);
      }
      if (scrape.samples !== null) {
        children.samples ??= tallies.of(samples.labels({ upstream, identity }));
        children.samples.add(scrape.samples);
      }
      // What was cut says nothing about how much there is.
      if (isWhole && scrape.series !== null && children.series !== scrape.series) {
        children.series = scrape.series;
        series.set({ upstream, identity }, scrape.series);
      }
    },
    tellLastSeen(times) {
      lastSeen.reset();
      for (const [label, ms] of times) if (knownIdentities.has(label)) lastSeen.set({ identity: label }, ms / 1000);
    },
    keep(newUpstreams, newIdentities) {
      knownUpstreams = newUpstreams;
      knownIdentities = newIdentities;
      for (const [identity, ofIdentity] of present) {
        const isKnown = stays(identity, newIdentities);
        for (const [upstream, children] of ofIdentity.upstreams) {
          if (isKnown && stays(upstream, newUpstreams)) continue;
          forget(upstream, identity, children);
          ofIdentity.upstreams.delete(upstream);
        }
        if (isKnown) continue;
        duration.remove(identity);
        firstByte.remove(identity);
        present.delete(identity);
      }
    },
  };
}

function bounded(name: string, known: ReadonlySet<string>): string {
  return name === NO_LABEL || known.has(name) ? name : OTHER_LABEL;
}

function stays(name: string, known: ReadonlySet<string>): boolean {
  return name === NO_LABEL || name === OTHER_LABEL || known.has(name);
}
