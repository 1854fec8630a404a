/**
 * When a client certificate of each configured CA was last seen: before a CA is taken away, somebody asks. It remembers
 * one moment a CA, over reloads and not over a restart, and says how long it has looked.
 */
import { X509Certificate } from 'node:crypto';
import type { Config } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import { escapeNonPrintable } from '../lib/foreign-text.ts';
import type { ConnectionFacts } from '../request/connection.ts';

export interface ClientCaReport {
  /** SHA-256 over the DER, upper-case hex without colons. */
  readonly fingerprint: string;
  readonly subject: string;
  /** For how long its certificates would have been noticed. */
  readonly watchedSeconds: number;
  /** null: none was seen in that time. */
  readonly seenSecondsAgo: number | null;
  /** Who came last: the first name of the certificate, and the address. */
  readonly last: { readonly name: string; readonly address: string } | null;
}

export interface ClientCaUsage {
  /** The CAs of the configuration in force; what was seen of the ones that stay is kept. */
  follow(config: Pick<Config, 'tls'>): void;
  /** A connection was found good, at its beginning or again while it lives. */
  saw(facts: ConnectionFacts): void;
  report(): readonly ClientCaReport[];
}

interface Watched {
  readonly subject: string;
  readonly since: number;
  seen: { readonly at: number; readonly facts: ConnectionFacts } | null;
}

const LONGEST_NAME = 253;

export function createClientCaUsage(clock: Pick<Clock, 'monotonic'>): ClientCaUsage {
  let watched: ReadonlyMap<string, Watched> = new Map();
  const secondsSince = (at: number): number => Math.floor((clock.monotonic() - at) / 1000);
  return {
    follow({ tls }) {
      const next = new Map<string, Watched>();
      for (const pem of tls?.trust.ca ?? []) {
        const { fingerprint256, subject } = new X509Certificate(pem);
        const fingerprint = fingerprint256.replaceAll(':', '');
        const known = watched.get(fingerprint);
        const name = escapeNonPrintable(subject.split('\n').join(', '));
        next.set(fingerprint, known ?? { subject: name, since: clock.monotonic(), seen: null });
      }
      watched = next;
    },
    saw(facts) {
      const anchor = facts.tls?.certificate?.chain.at(-1);
      const ca = anchor === undefined ? undefined : watched.get(anchor.fingerprint);
      if (ca !== undefined) ca.seen = { at: clock.monotonic(), facts };
    },
    report: () =>
      Array.from(watched, ([fingerprint, { subject, since, seen }]) => ({
        fingerprint,
        subject,
        watchedSeconds: secondsSince(since),
        seenSecondsAgo: seen === null ? null : secondsSince(seen.at),
        last: seen === null ? null : { name: nameOf(seen.facts), address: seen.facts.peer },
      })),
  };
}

function nameOf({ tls }: ConnectionFacts): string {
  const { sans, commonName } = tls?.certificate ?? { sans: null, commonName: null };
  const name = sans?.dns[0] ?? sans?.email[0] ?? sans?.uri[0] ?? sans?.ip[0] ?? commonName ?? '';
  return escapeNonPrintable(name).slice(0, LONGEST_NAME);
}
