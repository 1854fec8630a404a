/**
 * The proofs that have bought a certificate and are not too old yet: each buys one. What a second one would buy is no more
 * than another certificate for the same key; it would count against the ten a day of that name.
 */
import { createHash } from 'node:crypto';

/** As many as there can be: each is a certificate that was issued within minutes. This is for an index that was lost. */
const MOST = 10_000;

export class UsedProofs {
  /** Digest → until when it must be remembered, the oldest first. */
  readonly #until = new Map<string, number>();

  has(bytes: Buffer): boolean {
    return this.#until.has(digestOf(bytes));
  }

  /** @param untilMs from when on its time alone refuses it. */
  add(bytes: Buffer, untilMs: number, nowMs: number): void {
    for (const [digest, until] of this.#until) if (until < nowMs) this.#until.delete(digest);
    for (const digest of this.#until.keys()) {
      if (this.#until.size < MOST) break;
      this.#until.delete(digest);
    }
    this.#until.set(digestOf(bytes), untilMs);
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64');
}
