/**
 * The form of a POST, read whole and bounded before anything is asked: one media type, no coding, 64 KiB, and a
 * deadline. It tells what came, or why nothing of it may be used; it never parses.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Clock } from '../../lib/clock.ts';
import type { BodyMemory, HeldBody } from '../body-memory.ts';
import type { DenyReason } from '../deny-reasons.ts';
import { announcedLength, hasBody, sendContinue, wasReset } from '../message.ts';

export type FormBody =
  | { readonly kind: 'read'; readonly bytes: Buffer }
  | { readonly kind: 'refused'; readonly reason: DenyReason; readonly detail: string };

type RawRequest = IncomingMessage | Http2ServerRequest;
type RawResponse = ServerResponse | Http2ServerResponse;

export interface FormRequest {
  readonly request: RawRequest;
  readonly response: RawResponse;
  /** The client waits for 100 Continue. */
  readonly expectsContinue: boolean;
  /** On whose account the form is in memory; see request/party.ts. */
  readonly party: string;
}

const FORM = 'application/x-www-form-urlencoded';
/** As Go's mime.ParseMediaType: in any case, with well-formed parameters, each once; they mean nothing here. */
const FORM_TYPE = new RegExp(
  `^[ \\t]*${FORM}(?:[ \\t]*;[ \\t]*[!#$%&'*+.^_\`|~0-9a-z-]+=(?:[!#$%&'*+.^_\`|~0-9a-z-]+|"[ !#-\\[\\]-~]*"))*[ \\t]*$`,
  'i',
);
export const LARGEST_FORM = 65_536;
/** For the whole form: every client that means it sends 64 KiB in one go. */
export const FORM_DEADLINE_MS = 10_000;

const NOTHING: FormBody = { kind: 'read', bytes: Buffer.alloc(0) };

/**
 * What the headers say of a body. Prometheus reads multipart forms too, ignores Content-Encoding and takes a media type
 * with a broken parameter: three ways to say something else to it than to us.
 * @returns null when the body can be read.
 */
export function judgeFormHeaders(headers: RawRequest['headers']): (FormBody & { readonly kind: 'refused' }) | null {
  const type = headers['content-type'];
  if (type === undefined || !FORM_TYPE.test(type) || hasParameterTwice(type)) {
    return refused('media_type', `the body must be a form of the content type ${FORM}`);
  }
  if (headers['content-encoding'] !== undefined) return refused('media_type', 'the body must have no Content-Encoding');
  const length = headers['content-length'];
  // Framing was judged: a length is a number.
  if (length !== undefined && Number(length) > LARGEST_FORM) return tooLarge();
  return null;
}

/** What outlives the requests. */
export interface FormPorts {
  readonly clock: Pick<Clock, 'after'>;
  readonly bodies: BodyMemory;
}

/** Calls back once; never when the client has left. 100 Continue goes out only now, when the body is wanted. */
export function readForm(
  { request, response, expectsContinue, party }: FormRequest,
  { clock, bodies }: FormPorts,
  done: (body: FormBody) => void,
): void {
  if (!hasBody(request)) {
    done(NOTHING);
    return;
  }
  const fault = judgeFormHeaders(request.headers);
  if (fault !== null) {
    done(fault);
    return;
  }
  const held: HeldBody = {
    party,
    giveUp() {
      finish(refused('too_many_bodies', 'its identity had most of the memory for bodies'));
    },
  };
  if (!bodies.admit(held, announcedLength(request))) {
    done(refused('too_many_bodies', 'the share of its identity in the memory for bodies is taken'));
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  let isOver = false;
  const finish = (body: FormBody): void => {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    bodies.leave(held);
    request.off('data', onData).off('end', onEnd).off('close', onClose);
    done(body);
  };
  const onData = (chunk: Buffer): void => {
    size += chunk.length;
    chunks.push(chunk);
    if (size > LARGEST_FORM) finish(tooLarge());
  };
  // On h2 a reset stream also ends: a form cut short would be another question.
  const onEnd = (): void => {
    finish(wasReset(request) ? cut() : { kind: 'read', bytes: Buffer.concat(chunks, size) });
  };
  const onClose = (): void => {
    finish(cut());
  };
  const timer = clock.after(FORM_DEADLINE_MS, () => {
    finish(refused('header_timeout', 'the form did not come in time'));
  });
  // An error listener stays: nobody else would hear a late reset.
  request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  if (expectsContinue) sendContinue(response);
}

function hasParameterTwice(type: string): boolean {
  const names = [...type.matchAll(/;[ \t]*([^=;" \t]+)=/g)].map(([, name = '']) => name.toLowerCase());
  return new Set(names).size < names.length;
}

function cut(): FormBody {
  return refused('bad_framing', 'the client left within the form');
}

function tooLarge(): FormBody & { readonly kind: 'refused' } {
  return refused('body_too_large', `a form of more than ${String(LARGEST_FORM)} bytes`);
}

function refused(reason: DenyReason, detail: string): FormBody & { readonly kind: 'refused' } {
  return { kind: 'refused', reason, detail };
}
