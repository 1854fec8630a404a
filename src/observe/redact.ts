/**
 * The last line of defence against secrets in the log: by the name of a field, and by the look of a text. Nobody may
 * rely on it; whoever logs leaves secrets out.
 */

const CENSOR = '[redacted]';
const DEEPEST = 4;
const LONGEST_STACK = 4000;
/** Characters: longer than whatever a line is about, whoever wrote it. What a stranger wrote is cut before, much shorter. */
const LONGEST_VALUE = 2048;

const SECRET_FIELDS = new Set([
  'authorization',
  'proxyauthorization',
  'cookie',
  'setcookie',
  'password',
  'passwd',
  'passphrase',
  'key',
  'privatekey',
  'secret',
  'token',
  'bearertoken',
  'credentials',
]);

function isSecretField(name: string): boolean {
  return SECRET_FIELDS.has(name.toLowerCase().replace(/[-_]/g, ''));
}

/** A copy of the fields in which no value stands under the name of a secret, however deep. Never changes its argument. */
export function redactFields(fields: Readonly<Record<string, unknown>>, depth = 0): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    copy[name] = isSecretField(name) && value !== null && value !== undefined ? CENSOR : redactValue(value, depth);
  }
  return copy;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cutLong(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (value instanceof Error) return describeError(value);
  if (depth >= DEEPEST) return '[nested too deeply]';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  return isPlain(value) ? redactFields(value, depth + 1) : `[${value.constructor.name}]`;
}

/** The one place through which every value of every line goes: a certificate's serial, for one, may have 80 kB. */
function cutLong(text: string): string {
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

/** A socket or a request that is logged by accident would bring its headers along. */
function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describeError(error: Error): Record<string, unknown> {
  const code = 'code' in error ? error.code : undefined;
  const stack = error.stack?.slice(0, LONGEST_STACK);
  return { name: error.name, message: cutLong(error.message), ...(code === undefined ? {} : { code }), stack };
}

/** Cheap look before the expressions: most lines have nothing of this. */
const SUSPICIOUS = /asic |earer |PRIVATE KEY|:\/\/|\$(?:2[aby]|apr1|5|6)\$|SHA\}/;

const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:\\.|[^"\\])*/g;
const BASIC = /\b(basic) +([A-Za-z0-9+/=_-]{4,})/gi;
const BEARER = /\b(bearer) +[A-Za-z0-9._~+/=-]{16,}/gi;
const USERINFO = /:\/\/[^/\s"@]{0,200}@/g;
const PASSWORD_HASH = /\$(?:2[aby]|apr1|5|6)\$[./A-Za-z0-9$=]{8,}|\{S?SHA\}[A-Za-z0-9+/=]{20,}/g;

/** `Basic credential` is a sentence, `Basic cHJvbTpzZWNyZXQ=` a password. */
function looksLikeBasic(value: string): boolean {
  return Buffer.from(value, 'base64').includes(':');
}

/**
 * Censors what looks like a credential in a line of JSON: private keys, Basic and Bearer credentials, user and password
 * in a URL, password hashes. The line stays JSON.
 */
export function redactLine(line: string): string {
  if (!SUSPICIOUS.test(line)) return line;
  return line
    .replace(PRIVATE_KEY, CENSOR)
    .replace(BASIC, (match, scheme: string, value: string) => (looksLikeBasic(value) ? `${scheme} ${CENSOR}` : match))
    .replace(BEARER, `$1 ${CENSOR}`)
    .replace(USERINFO, `://${CENSOR}@`)
    .replace(PASSWORD_HASH, CENSOR);
}
