/** Reads a whole body of a few kilobytes into memory, in bounded time: for the one path that the gate itself takes a body on. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../lib/clock.ts';
import { sendContinue, wasReset } from '../message.ts';

export type SmallBody =
  | { readonly kind: 'whole'; readonly text: string }
  | { readonly kind: 'tooLarge' }
  /** It was not whole when its time was over. */
  | { readonly kind: 'late' }
  /** Reset, cut or closed: there is nobody to answer. */
  | { readonly kind: 'left' };

/** A certificate request is one packet or two. */
export const SMALL_BODY_DEADLINE_MS = 10_000;

export interface SmallBodyBounds {
  /** In bytes. */
  readonly limit: number;
  /** The client waits for `100 Continue` before it sends. */
  readonly expectsContinue: boolean;
  readonly clock: Clock;
}

/** Calls back once. */
export function readSmallBody(
  { raw: request }: FastifyRequest,
  { raw: response }: FastifyReply,
  { limit, expectsContinue, clock }: SmallBodyBounds,
  done: (body: SmallBody) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const finish = (body: SmallBody): void => {
    deadline.cancel();
    request.off('data', onData).off('end', onEnd).off('close', onClose).off('aborted', onClose);
    // The listener for errors stays: nobody else would hear a late reset.
    request.pause();
    done(body);
  };
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > limit) finish({ kind: 'tooLarge' });
    else chunks.push(chunk);
  };
  const onEnd = (): void => {
    finish(wasReset(request) ? { kind: 'left' } : { kind: 'whole', text: Buffer.concat(chunks).toString('latin1') });
  };
  const onClose = (): void => {
    finish({ kind: 'left' });
  };
  const deadline = clock.after(SMALL_BODY_DEADLINE_MS, () => {
    finish({ kind: 'late' });
  });
  request.on('data', onData).on('end', onEnd).on('close', onClose).on('aborted', onClose);
  request.on('error', () => undefined);
  if (expectsContinue) sendContinue(response);
  request.resume();
}
