/** Sizes in bytes as Prometheus writes them: `512MB`. KB and KiB are both 1024 there, and so they are here. */
import { parsed, unparsed, type Parsed } from '../lib/problem.ts';

const SIZE = /^(\d{1,16})([KMGTPE]i?)?(B)?$/;
const POWERS = 'KMGTPE';

/** Reads a size: a whole number and B, KB, MB, GB, TB, PB, EB or KiB, MiB, …; a number alone is bytes. */
export function parseByteSize(text: string): Parsed<number> {
  const [, number, multiple, unit] = SIZE.exec(text) ?? [];
  if (number === undefined || (multiple !== undefined && unit === undefined)) {
    return unparsed('not a size; expected a whole number with a unit, such as 64KB, 16MB or 1GiB', hint(text));
  }
  const bytes = Number(number) * 1024 ** (multiple === undefined ? 0 : POWERS.indexOf(multiple.charAt(0)) + 1);
  return Number.isSafeInteger(bytes) ? parsed(bytes) : unparsed('the size is too large: the most is 7PB');
}

/** `16mb` and `16M` are what people type. */
function hint(text: string): string | undefined {
  const [, number, multiple] = /^(\d{1,16}) ?([kmgtpe])(?:i?b)?$/i.exec(text) ?? [];
  return number === undefined || multiple === undefined
    ? undefined
    : `did you mean ${number}${multiple.toUpperCase()}B?`;
}
