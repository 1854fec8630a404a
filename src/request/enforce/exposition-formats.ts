/**
 * The formats of an exposition page that the filter reads: what of the client's Accept goes upstream, and what the
 * upstream's Content-Type means. Pure.
 */

const OPENMETRICS = 'application/openmetrics-text';
const TEXT = 'text/plain';
const PROTOBUF = 'application/vnd.google.protobuf';
const FALLBACK = `${TEXT};version=0.0.4`;
/** A Prometheus 3 names six. */
const MOST_RANGES = 20;

/** RFC 9110 section 5.6.6, in ASCII. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = `[ \\t]*;[ \\t]*(${TOKEN})=(?:${TOKEN}|"[ !#-\\[\\]-~]*")`;
const MEDIA = new RegExp(`^[ \\t]*(${TOKEN}/${TOKEN})((?:${PARAMETER})*)[ \\t]*$`);
const ONE_PARAMETER = new RegExp(PARAMETER, 'g');

/**
 * The Accept header for a page that is filtered: the client's own ranges of the text formats with all their parameters
 * (version, escaping, q), in their order. Others (protobuf) are left out. Text is asked for in any case.
 */
export function expositionAccept(accept: string | undefined): string {
  const wanted = (accept ?? '')
    .split(',', MOST_RANGES)
    .filter((range) => isTextFormat(MEDIA.exec(range)?.[1]?.toLowerCase()))
    .map((range) => range.trim());
  if (wanted.some((range) => range.toLowerCase().startsWith(TEXT))) return wanted.join(',');
  // Behind what the client names, as `*/*` at the end of its list is.
  return wanted.length === 0 ? FALLBACK : [...wanted, `${FALLBACK};q=0.1`].join(',');
}

function isTextFormat(type: string | undefined): boolean {
  return type === OPENMETRICS || type === TEXT;
}

export interface ExpositionFormat {
  readonly isOpenMetrics: boolean;
  /** The Content-Type for the client: it reads the page as it was read here. */
  readonly told: string;
}

/**
 * Prometheus 2 reads everything but OpenMetrics and protobuf as text, also what has no type or none that Go can read;
 * Prometheus 3 does where `fallback_scrape_protocol` says so.
 * @returns null for what is no text.
 */
export function readContentType(contentType: string | undefined): ExpositionFormat | null {
  const [, type = '', parameters = ''] = MEDIA.exec(contentType ?? '') ?? [];
  const media = type.toLowerCase();
  if (media === PROTOBUF) return null;
  if (contentType !== undefined && isTextFormat(media) && areDistinct(parameters)) {
    return { isOpenMetrics: media === OPENMETRICS, told: contentType };
  }
  return { isOpenMetrics: false, told: `${TEXT}; version=0.0.4; charset=utf-8` };
}

/** Go's mime.ParseMediaType refuses a parameter that comes twice. */
function areDistinct(parameters: string): boolean {
  const names = [...parameters.matchAll(ONE_PARAMETER)].map(([, name = '']) => name.toLowerCase());
  return new Set(names).size === names.length;
}
