/**
 * The memory for request bodies while they are taken in, forms among them. Room is asked for before the first byte is
 * read; a party has a share that leaves room for others, and who has much gives to one that has little: its oldest body
 * that has not come to its end. Bookkeeping only: it reads and answers nothing.
 */

export interface HeldBody {
  /** On whose account it is; see party.ts. */
  readonly party: string;
  /** Ends it, with an answer: its room is another's now. */
  giveUp(): void;
}

interface Party {
  bytes: number;
  /** Oldest first: those of which more is to come, and those that are whole or on their way. */
  readonly coming: Set<HeldBody>;
  readonly come: Set<HeldBody>;
}

interface Room {
  readonly bytes: number;
  readonly party: Party;
}

/** Of the largest part of one body that is in memory at any time. */
export const LARGEST_ROOM = 65_536;

const LIMIT_BYTES = 32 * 1024 * 1024;
/** What a request costs beside its body: so that a share is one of their number, too. */
const LEAST_ROOM = 4096;
/** Of the room that is free a party may come to hold three times as much: alone three quarters of all. */
const SHARE_OF_FREE = 3;
/** How much more a party has than the one for which it gives room. */
const MUCH_MORE = 2;

export class BodyMemory {
  readonly #limitBytes: number;
  readonly #rooms = new Map<HeldBody, Room>();
  readonly #parties = new Map<string, Party>();
  #usedBytes = 0;

  constructor(limitBytes = LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** What is given out, used or not. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Gives a body its room, for which it may end others.
   * @param bytes as announced; null: not known.
   * @returns false when there is none for its party: the body is not to be read.
   */
  admit(body: HeldBody, announced: number | null): boolean {
    const bytes = Math.max(LEAST_ROOM, Math.min(LARGEST_ROOM, announced ?? LARGEST_ROOM));
    const party = this.#parties.get(body.party) ?? { bytes: 0, coming: new Set(), come: new Set() };
    while (!this.#hasRoom(party, bytes)) {
      const given = this.#yielding(party, bytes);
      if (given === null) return false;
      this.leave(given);
      given.giveUp();
    }
    this.#parties.set(body.party, party);
    this.#rooms.set(body, { bytes, party });
    party.coming.add(body);
    party.bytes += bytes;
    this.#usedBytes += bytes;
    return true;
  }

  /** All that is taken in before it is used has come. */
  came(body: HeldBody): void {
    const room = this.#rooms.get(body);
    if (room?.party.coming.delete(body) === true) room.party.come.add(body);
  }

  /** It is sent, or over; a second time means nothing. */
  leave(body: HeldBody): void {
    const room = this.#rooms.get(body);
    if (room === undefined) return;
    const { bytes, party } = room;
    this.#rooms.delete(body);
    party.coming.delete(body);
    party.come.delete(body);
    party.bytes -= bytes;
    this.#usedBytes -= bytes;
    if (party.bytes === 0) this.#parties.delete(body.party);
  }

  /** The last room is for a party that has none. */
  #hasRoom(party: Party, bytes: number): boolean {
    const left = this.#limitBytes - this.#usedBytes - bytes;
    return party.bytes === 0 ? left >= 0 : party.bytes + bytes <= SHARE_OF_FREE * left;
  }

  /** One that has come whole waits for nothing of its client's: it gives way only to a party that has nothing. */
  #yielding(party: Party, bytes: number): HeldBody | null {
    let largest: Party | null = null;
    for (const other of this.#parties.values()) {
      const mayGive = other.coming.size > 0 || (party.bytes === 0 && other.come.size > 0);
      if (mayGive && other.bytes > (largest?.bytes ?? MUCH_MORE * (party.bytes + bytes))) largest = other;
    }
    if (largest === null) return null;
    const [oldest = null] = largest.coming.size > 0 ? largest.coming : largest.come;
    return oldest;
  }
}
