/**
 * How much one identity may take: which caps are whose, and whether an amount is too much. Pure; cheap enough to be asked
 * with every chunk. What cannot be counted is more than any cap.
 */
import type { Caps } from '../../../config/config.ts';
import type { DenyReason } from '../../deny-reasons.ts';
import type { Passage } from '../../passage.ts';
import type { Meter } from './meter.ts';

/** What has come of an answer, or is announced. */
export type Amount = Pick<Meter, 'bytes' | 'series'>;

export interface Excess {
  readonly reason: DenyReason;
  /** For the log. */
  readonly detail: string;
}

/** Those of the identity's entry, which stand alone; else those of everyone who has none. */
export function capsOf({ identity, config }: Pick<Passage, 'identity' | 'config'>): Caps {
  return identity?.claim.kind === 'rule' ? identity.claim.rule.caps : config.caps;
}

/** Why this much is too much; null: it is not. What just reaches a cap is allowed. */
export function exceeded(caps: Caps, { bytes, series }: Amount): DenyReason | null {
  if (caps.bytes !== null && bytes > caps.bytes) return 'cap_bytes';
  if (caps.series !== null && (series === null || series > caps.series)) return 'cap_series';
  return null;
}

/** `exceeded` with a word for the log; null where there is nothing to judge by amount. */
export function judgeOf(caps: Caps): ((amount: Amount) => Excess | null) | null {
  if (caps.bytes === null && caps.series === null) return null;
  return (amount) => {
    const reason = exceeded(caps, amount);
    return reason === null ? null : { reason, detail: detailOf(reason, caps, amount) };
  };
}

function detailOf(reason: DenyReason, caps: Caps, { series }: Amount): string {
  if (reason === 'cap_bytes') return `more than ${String(caps.bytes)} bytes`;
  if (series === null)
    return 'the series of this answer cannot be counted: it is compressed, malformed or no exposition';
  return `more than ${String(caps.series)} series`;
}

/** Whether the upstream must be asked for an uncompressed answer: only there series can be counted. */
export function needsPlain(caps: Caps): boolean {
  return caps.series !== null;
}

/** Whether ranges and conditions must not go upstream: an answer in parts would pass below the caps. */
export function needsWhole(caps: Caps): boolean {
  return caps.bytes !== null || caps.series !== null;
}
