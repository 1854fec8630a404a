/** Contract: what is known of one scrape when it is over; filled by forward, written down by respond. */

export interface ScrapeRecord {
  /** Bytes of the exposition before the gate compressed it. */
  bytes: number;
  /** null: not countable (an answer that came compressed, or in a format that is not known). */
  series: number | null;
  samples: number | null;
  /** Milliseconds from the request line to the first byte of the answer; null: there was none. */
  firstByteMs: number | null;
  /** `leader`: asked the upstream; `joined`: shared another's request; `reused`: got an answer of before (`max_age`). */
  sharing: 'leader' | 'joined' | 'reused';
}
