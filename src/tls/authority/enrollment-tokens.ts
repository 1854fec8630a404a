/**
 * One-time tokens for certificates: `enrollment-tokens.json` beside the CA, one writer at a time, each as a whole. A token
 * itself is never written: only its SHA-256, which is enough for 128 random bits. What is taken is gone before it is used.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chown, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { PromgateError } from '../../lib/errors.ts';
import { readIfThere, writeWhole } from './authority-directory.ts';
import type { AuthorityPaths } from './authority-directory.ts';
import { withLock } from './file-lock.ts';
import type { AlternativeName } from './names.ts';

/** What its holder gets, and nothing else: a certificate with these names for this purpose. */
export interface EnrollmentToken {
  /** SHA-256 of the token, lower-case hex. */
  readonly hash: string;
  readonly name: string;
  readonly sans: readonly AlternativeName[];
  readonly purpose: Purpose;
  readonly days: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

export type Purpose = 'clientAuth' | 'serverAuth';

export const LONGEST_MINUTES = 60;
const TOKEN_BYTES = 16;
const TOKEN = /^[0-9a-f]{32}$/;
/** More than these at once is no enrolling. */
const MOST_PENDING = 64;
const MINUTE_MS = 60_000;
/** A clock that was set back must not give a token a second life. */
const CLOCK_SKEW_MS = 5 * MINUTE_MS;
const OTHERS_MAY_WRITE = 0o022;
const VERSION = 1;

const time = z.iso.datetime().transform((text) => Date.parse(text));
const document = z.strictObject({
  version: z.literal(VERSION),
  tokens: z
    .array(
      z.strictObject({
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        name: z.string().min(1),
        sans: z.array(z.strictObject({ type: z.enum(['dns', 'ip', 'email', 'uri']), value: z.string() })),
        purpose: z.enum(['clientAuth', 'serverAuth']),
        days: z.int().min(1),
        created_at: time,
        expires_at: time,
      }),
    )
    .max(MOST_PENDING),
});

export function tokensPath({ directory }: Pick<AuthorityPaths, 'directory'>): string {
  return join(directory, 'enrollment-tokens.json');
}

/** A new token, to be shown once, and what is kept of it. */
export function createToken(
  binding: Pick<EnrollmentToken, 'name' | 'sans' | 'days'> & {
    readonly purpose?: Purpose;
    readonly minutes: number;
    readonly now: number;
  },
): { readonly text: string; readonly token: EnrollmentToken } {
  const { name, sans, purpose = 'clientAuth', days, minutes, now } = binding;
  const text = randomBytes(TOKEN_BYTES).toString('hex');
  const expiresAt = now + Math.min(minutes, LONGEST_MINUTES) * MINUTE_MS;
  return { text, token: { hash: hashOf(text), name, sans, purpose, days, createdAt: now, expiresAt } };
}

/**
 * The token that was presented, if it is one of these and its time is not over. Takes the same time whichever it is.
 * @param text what somebody sent, of any form.
 */
export function findToken(tokens: readonly EnrollmentToken[], text: string, now: number): EnrollmentToken | null {
  const presented = Buffer.from(hashOf(text), 'hex');
  let found: EnrollmentToken | null = null;
  for (const token of tokens) {
    const isIt = timingSafeEqual(presented, Buffer.from(token.hash, 'hex'));
    if (isIt && isPending(token, now)) found = token;
  }
  return TOKEN.test(text) ? found : null;
}

export function isPending({ createdAt, expiresAt }: EnrollmentToken, now: number): boolean {
  const isBounded = expiresAt - createdAt <= LONGEST_MINUTES * MINUTE_MS;
  return isBounded && createdAt <= now + CLOCK_SKEW_MS && now < expiresAt;
}

/**
 * Every token of the file, also what has expired; none without a file.
 * @throws {PromgateError} AUTHORITY_REFUSED when it is damaged or others may write it, FILE_UNSAFE when it is unreadable.
 */
export async function readTokens(paths: AuthorityPaths): Promise<readonly EnrollmentToken[]> {
  const path = tokensPath(paths);
  const text = await readIfThere(path);
  if (text === null) return [];
  const hint = 'remove it: tokens that were not used yet are made again by `promgate pki token`';
  if (((await lstat(path)).mode & OTHERS_MAY_WRITE) !== 0) {
    throw new PromgateError('AUTHORITY_REFUSED', `${path} can be written by others: no token in it counts`, { hint });
  }
  const read = document.safeParse(parseJson(text));
  if (!read.success) throw new PromgateError('AUTHORITY_REFUSED', `${path} cannot be used: it is damaged`, { hint });
  return read.data.tokens.map(({ sha256, created_at: createdAt, expires_at: expiresAt, ...rest }) => {
    return { ...rest, hash: sha256, createdAt, expiresAt };
  });
}

/**
 * Adds a token; an older one of its name is void from then on.
 * @throws {PromgateError} AUTHORITY_REFUSED when too many are pending, or FILE_WRITE.
 */
export async function addToken(paths: AuthorityPaths, clock: Clock, token: EnrollmentToken): Promise<void> {
  await withLock(paths.lock, clock, async () => {
    const others = (await pendingTokens(paths, clock)).filter(({ name }) => name !== token.name);
    if (others.length >= MOST_PENDING) {
      const count = String(MOST_PENDING);
      throw new PromgateError('AUTHORITY_REFUSED', `${count} tokens are pending already`, {
        hint: 'they end by themselves within the hour; `promgate pki token NAME --cancel` ends one now',
      });
    }
    await writeTokens(paths, [...others, token]);
  });
}

/** Makes the tokens of a name void. @returns whether there was one. */
export async function cancelToken(paths: AuthorityPaths, clock: Clock, name: string): Promise<boolean> {
  return withLock(paths.lock, clock, async () => {
    const pending = await pendingTokens(paths, clock);
    const others = pending.filter((token) => token.name !== name);
    if (others.length < pending.length) await writeTokens(paths, others);
    return others.length < pending.length;
  });
}

/**
 * Takes a token out of the file. Of several who come with the same one at the same time, one gets it.
 * @returns null when it is not there, not any more, or its time is over.
 */
export async function takeToken(paths: AuthorityPaths, clock: Clock, text: string): Promise<EnrollmentToken | null> {
  return withLock(paths.lock, clock, async () => {
    const tokens = await pendingTokens(paths, clock);
    const taken = findToken(tokens, text, clock.now());
    if (taken === null) return null;
    // Before anything is done with it: a crash from here on costs a token, never a second certificate.
    await writeTokens(
      paths,
      tokens.filter((token) => token !== taken),
    );
    return taken;
  });
}

async function pendingTokens(paths: AuthorityPaths, clock: Clock): Promise<readonly EnrollmentToken[]> {
  return (await readTokens(paths)).filter((token) => isPending(token, clock.now()));
}

async function writeTokens(paths: AuthorityPaths, tokens: readonly EnrollmentToken[]): Promise<void> {
  const path = tokensPath(paths);
  const date = (ms: number): string => new Date(ms).toISOString();
  const text = `${JSON.stringify(
    {
      version: VERSION,
      tokens: tokens.map(({ hash, name, sans, purpose, days, createdAt, expiresAt }) => {
        return { sha256: hash, name, sans, purpose, days, created_at: date(createdAt), expires_at: date(expiresAt) };
      }),
    },
    null,
    2,
  )}\n`;
  await writeWhole(path, text, 0o600);
  // Whoever may read the CA's key may know of its tokens: root makes one, the user of the gate takes it.
  const [made, key] = [await lstat(path), await lstat(paths.key).catch(() => null)];
  if (key !== null && key.uid !== made.uid) await chown(path, key.uid, key.gid).catch(() => undefined);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
