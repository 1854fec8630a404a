/** Contract: how listen/ hands a parsed request to the app. It rides on the raw request under a symbol of ours. */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Connection } from './connection.ts';
import type { DenyReason } from './deny-reasons.ts';
import type { Target } from './target.ts';

export interface Arrival {
  readonly connection: Connection;
  /** `GET /` when there is a fault: nobody may act on what was not in normal form. */
  readonly target: Target;
  /** What is wrong with the request line, the headers or the framing; answered by accept, after the address. */
  readonly fault: ArrivalFault | null;
  /** `Expect: 100-continue` on HTTP/1.1 or h2. */
  readonly expectsContinue: boolean;
}

export interface ArrivalFault {
  readonly reason: DenyReason;
  /** For the log; what the client wrote is escaped. */
  readonly detail: string;
  /** What was asked for, as far as it is known. The listener adds it to every fault. */
  readonly asked?: AskedFor;
}

/** A request line that is only written down: nobody may act on it. */
export interface AskedFor {
  /** As it came, escaped. */
  readonly method: string;
  /** null when the target is not in normal form; the fault's detail has it then. */
  readonly path: string | null;
}

const ARRIVAL = Symbol('promgate.arrival');

type Carrier = { [ARRIVAL]?: Arrival };

export function attachArrival(request: IncomingMessage | Http2ServerRequest, arrival: Arrival): void {
  (request as Carrier)[ARRIVAL] = arrival;
}

/** @throws Error when the request did not come through listen/: a defect, never a refusal. */
export function arrivalOf(request: IncomingMessage | Http2ServerRequest): Arrival {
  const arrival = (request as Carrier)[ARRIVAL];
  if (arrival === undefined) throw new Error('the request did not come through the listener');
  return arrival;
}
