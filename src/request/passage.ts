/** Contract: what one request carries through the six steps. One decorated property on the Fastify request. */
import type {} from 'fastify';
import type { Config, Upstream } from '../config/config.ts';
import type { Answer } from './answer.ts';
import type { AskedFor } from './arrival.ts';
import type { Connection } from './connection.ts';
import type { EndpointClass } from './endpoints.ts';
import type { Identity } from './identity.ts';
import type { WrittenQuestion } from './question.ts';
import type { ScrapeRecord } from './scrape-record.ts';
import type { Target } from './target.ts';

export interface Passage {
  /** Shown to the client on a refusal and in the log: finds one by the other. */
  readonly id: string;
  readonly config: Config;
  readonly connection: Connection;
  readonly target: Target;
  /** For the log, in the place of the target, when the listener found a fault. */
  readonly asked?: AskedFor;
  readonly answer: Answer;
  /** Monotonic milliseconds at which the request was seen. */
  readonly startedAt: number;
  /** As it came, of any length: for the access log. */
  readonly userAgent?: string | undefined;
  /** HTTP/1.1 `Expect: 100-continue`: forward sends 100 Continue when it wants the body, nobody before it. */
  readonly expectsContinue: boolean;
  /** The client's address: the peer, or what a trusted proxy says. Set by accept. */
  address: string;
  /** Set by accept where `cors` is configured: the page's origin, if it is one of the operator's. */
  origin?: string | null;
  /** Set by authenticate. */
  identity: Identity | null;
  /** Set by authorize. */
  upstream: Upstream | null;
  /** The path below the upstream's prefix, by which the kind table judges. Set by authorize. */
  kindPath: string;
  endpointClass: EndpointClass | null;
  /** Set by enforce for a restricted identity: what is asked in the place of what came. */
  question?: WrittenQuestion;
  /** Set by forward on the scrape path: what accounting writes down beside the rest. */
  scrape?: ScrapeRecord;
  /** Bytes of the request body that came. Counted by forward, read by accounting. */
  bytesIn?: number;
  /** What a step acquired; run once, in reverse order, when the answer is over. */
  readonly releases: (() => void)[];
}

declare module 'fastify' {
  interface FastifyRequest {
    passage: Passage;
  }
}
