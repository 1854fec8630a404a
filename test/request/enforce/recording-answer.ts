/** An Answer that remembers what was done to it. */
import type { Answer, AnswerHeaders } from '../../../src/request/answer.ts';
import type { DenyReason } from '../../../src/request/deny-reasons.ts';

export interface RecordingAnswer extends Answer {
  readonly status: number | null;
  readonly headers: AnswerHeaders;
  /** What was written, as text. */
  readonly body: string;
  /** `ended`, or `refused REASON` before the head, or `cut REASON` behind it; null: it goes on. */
  readonly ending: string | null;
  readonly detail: string | null;
}

export function recordingAnswer(): RecordingAnswer {
  let status: number | null = null;
  let headers: AnswerHeaders = {};
  let body = '';
  let end: string | null = null;
  let detail: string | null = null;
  const deny = (reason: DenyReason, why: string | undefined): void => {
    end ??= `${status === null ? 'refused' : 'cut'} ${reason}`;
    detail ??= why ?? null;
  };
  return {
    get status() {
      return status;
    },
    get headers() {
      return headers;
    },
    get body() {
      return body;
    },
    get ending() {
      return end;
    },
    get detail() {
      return detail;
    },
    get opened() {
      return status !== null;
    },
    get closed() {
      return end !== null;
    },
    refuse: (reason, details) => {
      deny(reason, details?.detail);
    },
    open(newStatus, newHeaders) {
      if (end !== null) throw new Error('opened behind its end');
      status = newStatus;
      headers = newHeaders;
    },
    write(chunk) {
      if (status === null || end !== null) throw new Error('written before the head or behind the end');
      body += Buffer.from(chunk).toString('utf8');
      return true;
    },
    onDrain: () => undefined,
    onClose: () => undefined,
    end() {
      end ??= 'ended';
    },
    cut: deny,
  };
}
