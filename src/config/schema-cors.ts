/** The keys that let pages of other origins ask the gate (CORS). */
import * as z from 'zod';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import { defaulted, duration, scalar } from './scalars.ts';

const EXAMPLE = 'https://grafana.example.com';

/** An origin as a browser writes it (RFC 6454 §6.2), because it is compared byte by byte. */
function parseOrigin(value: string): Parsed<string> {
  const quoted = JSON.stringify(value);
  if (value === '*' || value === 'null') {
    return unparsed(`${quoted} would let any page use the credentials of a browser`, `list origins such as ${EXAMPLE}`);
  }
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return unparsed(`${quoted} is not an origin`, `write scheme, host and port as the browser does: ${EXAMPLE}`);
  }
  return url.origin === value
    ? parsed(value)
    : unparsed(`${quoted} is not what a browser sends as Origin`, `write ${JSON.stringify(url.origin)}`);
}

export const cors = z.strictObject({
  origins: z.array(scalar(`an origin such as ${EXAMPLE}`, parseOrigin)),
  max_age: defaulted(duration(0), '10m'),
});

export type RawCors = z.output<typeof cors>;
