/**
 * What all request bodies together may keep in memory while they are taken in. Under pressure the party that has most gives
 * first: its oldest body that has not come to its end.
 */

export interface HeldBody {
  /** On whose account the bytes are; see request/party.ts. */
  readonly party: string;
  /** Whether more is to come. */
  readonly isComing: boolean;
  /** Ends it, with an answer. */
  giveUp(): void;
}

const LIMIT_BYTES = 32 * 1024 * 1024;

export class BodyMemory {
  readonly #limitBytes: number;
  /** Oldest first. */
  readonly #bodies = new Map<HeldBody, number>();
  #usedBytes = 0;

  constructor(limitBytes = LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** More of the body came; may give up any body, this one too. */
  took(body: HeldBody, bytes: number): void {
    this.#bodies.set(body, (this.#bodies.get(body) ?? 0) + bytes);
    this.#usedBytes += bytes;
    while (this.#usedBytes > this.#limitBytes) {
      const given = this.#oldestOfLargest();
      if (given === null) return;
      this.leave(given);
      given.giveUp();
    }
  }

  /** It is sent, or over; a second time means nothing. */
  leave(body: HeldBody): void {
    this.#usedBytes -= this.#bodies.get(body) ?? 0;
    this.#bodies.delete(body);
  }

  #oldestOfLargest(): HeldBody | null {
    const byParty = new Map<string, { bytes: number; oldest: HeldBody }>();
    for (const [body, bytes] of this.#bodies) {
      const known = byParty.get(body.party);
      if (known === undefined) {
        byParty.set(body.party, { bytes, oldest: body });
        continue;
      }
      known.bytes += bytes;
      if (!known.oldest.isComing && body.isComing) known.oldest = body;
    }
    let largest: { bytes: number; oldest: HeldBody } | null = null;
    for (const party of byParty.values()) if (largest === null || party.bytes > largest.bytes) largest = party;
    return largest?.oldest ?? null;
  }
}
