/**
 * The headers that let a page of another origin read an answer (Fetch standard, "CORS protocol"). The gate's word replaces
 * the upstream's: two of them are none to a browser, and an upstream's `*` is not for the operator's gate to pass on.
 */
import type { AnswerHeaders } from '../answer.ts';

const OURS = ['access-control-allow-origin', 'access-control-allow-credentials', 'access-control-expose-headers'];

/**
 * Changes the headers of an answer in place.
 * @param origin the client's, if the operator listed it; null: the page may not read the answer.
 */
export function setCrossOrigin(headers: AnswerHeaders, origin: string | null): void {
  for (const name of OURS) if (name in headers) delete headers[name];
  const vary = headers['vary'];
  headers['vary'] = vary === undefined ? 'Origin' : `${[vary].flat().join(', ')}, Origin`;
  if (origin === null) return;
  headers['access-control-allow-origin'] = origin;
  headers['access-control-allow-credentials'] = 'true';
  headers['access-control-expose-headers'] = 'Retry-After';
}
