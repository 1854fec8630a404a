/** The schema of `crl`: how the revocation lists of a fleet get from the gate that has the CA to the others. */
import * as z from 'zod';
import { parsed, unparsed } from '../lib/problem.ts';
import type { Parsed } from '../lib/problem.ts';
import { CRL_PATH } from '../request/endpoints.ts';
import { boolean, defaulted, duration, scalar, text } from './scalars.ts';

const url = scalar('an https URL', (value): Parsed<string> => {
  const read = URL.canParse(value) ? new URL(value) : null;
  if (read?.protocol !== 'https:') {
    return unparsed('not the https URL of a list', `write https://HOST:PORT, a gate has the list at ${CRL_PATH}`);
  }
  if (read.username !== '' || read.password !== '') {
    return unparsed('a URL with credentials in it', 'a list is public: it needs none');
  }
  if (read.hash !== '') return unparsed('a URL with a fragment');
  if (read.pathname === '/') read.pathname = CRL_PATH;
  return parsed(read.href);
});

export const crl = z.strictObject({
  publish: defaulted(boolean(), 'false'),
  fetch: defaulted(
    z.array(
      z.strictObject({
        url,
        file: text('a file name'),
        ca_file: text('a file name'),
        interval: defaulted(duration(1000), '5m'),
      }),
    ),
    [],
  ),
});

export type RawCrl = z.output<typeof crl>;
