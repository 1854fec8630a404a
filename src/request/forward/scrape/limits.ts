/** When and at how much the gate ends somebody's scrape: the scraper's own time-out, and the caps of the identity. */
import type { Passage } from '../../passage.ts';
import { capsOf, judgeOf } from './caps.ts';
import { answerWithinMs } from './deadline.ts';
import type { ParticipantOptions } from './participant.ts';
import type { ScrapePlan } from './plan.ts';

type Limits = Omit<ParticipantOptions, 'clock'>;
type Deadline = NonNullable<Limits['deadline']>;

export function limitsOf(
  passage: Pick<Passage, 'identity' | 'config'>,
  { timeoutMs }: Pick<ScrapePlan, 'timeoutMs'>,
): Limits {
  const caps = capsOf(passage);
  const scraper: Deadline | null =
    timeoutMs === null ? null : { withinMs: answerWithinMs(timeoutMs), reason: 'scrape_timeout' };
  const cap: Deadline | null = caps.durationMs === null ? null : { withinMs: caps.durationMs, reason: 'cap_duration' };
  return { judge: judgeOf(caps), deadline: earlier(scraper, cap) };
}

function earlier(a: Deadline | null, b: Deadline | null): Deadline | null {
  if (a === null || b === null) return a ?? b;
  return b.withinMs < a.withinMs ? b : a;
}
