/**
 * One upstream request and everybody who gets its answer. The fastest reader sets the pace; what the others have not read
 * is kept for them, within bounds. However it fails, nobody gets a short answer that looks complete.
 */
import type { Answer, AnswerHeaders, RefusalDetails } from '../../answer.ts';
import type { DenyReason } from '../../deny-reasons.ts';
import type { Amount } from './caps.ts';
import { Backlog } from './backlog.ts';
import type { Meter } from './meter.ts';
import type { Participant } from './participant.ts';
import type { Keeper, ShareMemory } from './share-memory.ts';

export interface FlightOptions {
  /** Monotonic milliseconds at which the upstream was asked. */
  readonly startedAt: number;
  /** Who asked; see request/party.ts. */
  readonly party: string;
  /** Where kept bytes are counted; null: it is for one alone, and nothing is kept. */
  readonly memory: ShareMemory | null;
  /** The most that is kept for slow readers and newcomers. */
  readonly capBytes: number;
  /** Whether the encoding was chosen by what the client accepts. */
  readonly negotiated: boolean;
  /** Called once, when the upstream request is over in whichever way. */
  readonly onLanded: (flight: Flight) => void;
}

export class Flight implements Answer, Keeper {
  readonly startedAt: number;
  readonly party: string;
  /** Counts what comes from the upstream; null until it answers. */
  meter: Meter | null = null;
  readonly #options: FlightOptions;
  readonly #participants = new Set<Participant>();
  #status = 0;
  #headers: AnswerHeaders | null = null;
  #ended = false;
  #over = false;
  #kept = false;
  readonly #backlog = new Backlog();
  #hasPrefix: boolean;
  #drained: (() => void) | null = null;
  #closeCallbacks: (() => void)[] = [];

  constructor(options: FlightOptions) {
    this.#options = options;
    this.startedAt = options.startedAt;
    this.party = options.party;
    this.#hasPrefix = options.memory !== null;
  }

  // To those who want the answer

  /** Whether a newcomer would get the whole answer. */
  get joinable(): boolean {
    return this.#hasPrefix && !this.#over && (!this.#ended || this.#kept);
  }

  join(participant: Participant): void {
    this.#participants.add(participant);
    participant.answer.onClose(() => {
      this.#leave(participant);
    });
    if (this.meter !== null && !participant.allows(this.meter)) return;
    if (this.#headers === null || participant.answer.closed) return;
    participant.open(this.#status, this.#headers, this.#ended ? this.startedAt : null);
    // All others may have stopped, and none of them would set the upstream going for this one.
    if (this.#pump(participant)) this.#flowAgain();
  }

  #leave(participant: Participant): void {
    participant.settle(this.meter);
    if (!this.#participants.delete(participant)) return;
    if (this.#participants.size === 0) this.#landIfDeserted();
    else if (!this.#hasPrefix) this.#forgetRead();
  }

  /** Nobody is left: the upstream need not go on, and what was kept for readers is free. */
  #landIfDeserted(): void {
    if (!this.#ended && !this.#over) this.#finish();
    if (!this.#kept) this.#free();
  }

  /** Cuts off whoever may not have as much as has come. */
  judge(amount: Amount): void {
    for (const participant of this.#participants) participant.allows(amount);
  }

  // What the upstream answers

  get opened(): boolean {
    return this.#headers !== null;
  }

  get closed(): boolean {
    return this.#ended || this.#over;
  }

  open(status: number, headers: AnswerHeaders): void {
    if (this.opened || this.closed) return;
    this.#status = status;
    if (this.#options.negotiated) headers['vary'] = varyOf(headers['vary']);
    // The client's Cookie never goes upstream; an answer for several sets nobody's.
    if (this.#options.memory !== null && 'set-cookie' in headers) delete headers['set-cookie'];
    this.#headers = headers;
    for (const participant of this.#participants) participant.open(status, this.#headers, null);
  }

  write(chunk: Uint8Array): boolean {
    if (!this.opened || this.closed) return false;
    const { memory, capBytes } = this.#options;
    if (memory === null) {
      for (const { answer } of this.#participants) return answer.write(chunk);
      return false;
    }
    this.#backlog.push(chunk);
    for (const participant of this.#participants) {
      if (!participant.blocked) this.#pump(participant);
    }
    memory.changed(this);
    if (!this.#hasPrefix) this.#forgetRead();
    if (this.#backlog.bytes > capBytes) this.#squeeze();
    return this.#flows;
  }

  onDrain(callback: () => void): void {
    if (this.#options.memory === null) {
      for (const { answer } of this.#participants) answer.onDrain(callback);
    } else if (this.#flows) {
      callback();
    } else {
      this.#drained = callback;
    }
  }

  onClose(callback: () => void): void {
    if (this.#over) callback();
    else this.#closeCallbacks.push(callback);
  }

  end(): void {
    if (!this.opened || this.closed) return;
    this.#ended = true;
    this.#options.onLanded(this);
    for (const participant of this.#participants) {
      // What they were given need not have left: the end is behind it.
      if (participant.read === this.#backlog.end) this.#complete(participant);
    }
  }

  refuse(reason: DenyReason, details?: RefusalDetails): void {
    this.#fail(({ answer }) => {
      answer.refuse(reason, details);
    });
  }

  cut(reason: DenyReason, detail?: string): void {
    this.#fail(({ answer }) => {
      answer.cut(reason, detail);
    });
  }

  #fail(tell: (participant: Participant) => void): void {
    if (this.closed) return;
    const everybody = [...this.#participants];
    this.#participants.clear();
    this.#finish();
    this.#free();
    for (const participant of everybody) tell(participant);
  }

  /** No more comes, and it is not complete. */
  #finish(): void {
    this.#over = true;
    const callbacks = this.#closeCallbacks;
    this.#closeCallbacks = [];
    for (const callback of callbacks) callback();
    this.#options.onLanded(this);
  }

  // Reading at one's own pace

  /** Whether somebody has read everything and takes more. */
  get #flows(): boolean {
    for (const { blocked } of this.#participants) {
      if (!blocked) return true;
    }
    return false;
  }

  /** Writes what they have not read, as far as they take it. @returns whether they have taken everything. */
  #pump(participant: Participant): boolean {
    const { answer } = participant;
    const backlog = this.#backlog;
    for (let chunk = backlog.at(participant.read); chunk !== undefined; chunk = backlog.at(participant.read)) {
      participant.read += 1;
      if (!answer.write(chunk) && !(this.#ended && participant.read === backlog.end)) {
        participant.blocked = true;
        answer.onDrain(() => {
          this.#goOn(participant);
        });
        return false;
      }
    }
    if (this.#ended) this.#complete(participant);
    return true;
  }

  #goOn(participant: Participant): void {
    participant.blocked = false;
    if (!this.#participants.has(participant)) return;
    const isUpToDate = this.#pump(participant);
    if (!this.#hasPrefix) this.#forgetRead();
    if (isUpToDate) this.#flowAgain();
  }

  #flowAgain(): void {
    const drained = this.#drained;
    this.#drained = null;
    drained?.();
  }

  #complete(participant: Participant): void {
    this.#participants.delete(participant);
    participant.answer.end();
    if (this.#participants.size === 0) this.#landIfDeserted();
  }

  // Memory

  get retainedBytes(): number {
    return this.#backlog.bytes;
  }

  /** Keeps the complete answer for later. @returns false when it is not complete, or not all of it is there. */
  keep(): boolean {
    this.#kept = this.#ended && this.#hasPrefix && this.#status === 200;
    return this.#kept;
  }

  /** Undoes `keep`; whoever reads it still gets the rest. */
  release(): void {
    this.#kept = false;
    if (this.#participants.size === 0) this.#free();
  }

  forgetPrefix(): void {
    this.#hasPrefix = false;
    this.#forgetRead();
  }

  cutSlowest(): boolean {
    let slowest: Participant | null = null;
    for (const participant of this.#participants) {
      if (participant.read < (slowest?.read ?? this.#backlog.end)) slowest = participant;
    }
    if (slowest === null) return false;
    this.#participants.delete(slowest);
    slowest.answer.cut('scrape_too_slow', `${String(this.retainedBytes)} bytes were kept`);
    if (this.#participants.size === 0) this.#landIfDeserted();
    else this.#forgetRead();
    return true;
  }

  /** A reader who is alone holds back the upstream instead, and makes nothing grow. */
  #squeeze(): void {
    this.forgetPrefix();
    while (this.retainedBytes > this.#options.capBytes && this.#participants.size > 1 && this.cutSlowest());
  }

  #forgetRead(): void {
    let least = this.#backlog.end;
    for (const { read } of this.#participants) least = Math.min(least, read);
    this.#dropBefore(least);
  }

  #free(): void {
    this.#hasPrefix = false;
    this.#dropBefore(this.#backlog.end);
  }

  #dropBefore(number: number): void {
    this.#backlog.dropBefore(number);
    this.#options.memory?.changed(this);
  }
}

/** RFC 9110 §12.5.5. */
function varyOf(vary: string | string[] | undefined): string {
  if (vary === undefined) return 'accept-encoding';
  const named = String(vary);
  return /(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(named) ? named : `${named}, accept-encoding`;
}
