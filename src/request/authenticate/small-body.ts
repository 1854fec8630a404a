/** Reads a whole body of a few kilobytes into memory: for the one path that the gate itself takes a body on. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendContinue, wasReset } from '../message.ts';

export type SmallBody =
  | { readonly kind: 'whole'; readonly text: string }
  | { readonly kind: 'tooLarge' }
  /** Reset, cut or closed: there is nobody to answer. */
  | { readonly kind: 'left' };

/**
 * Calls back once.
 * @param limit in bytes.
 * @param expectsContinue the client waits for `100 Continue` before it sends.
 */
export function readSmallBody(
  { raw: request }: FastifyRequest,
  { raw: response }: FastifyReply,
  { limit, expectsContinue }: { readonly limit: number; readonly expectsContinue: boolean },
  done: (body: SmallBody) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const finish = (body: SmallBody): void => {
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
  request.on('data', onData).on('end', onEnd).on('close', onClose).on('aborted', onClose);
  request.on('error', () => undefined);
  if (expectsContinue) sendContinue(response);
  request.resume();
}
