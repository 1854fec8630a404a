/** Rules, alerts and targets of a Prometheus as an identity may see them: the JSON is read and written anew. Pure. */
import { isTold } from './filtered-answer.ts';
import type { ReadyRestriction } from './restriction.ts';
import { visibleData } from './visible-data.ts';
import type { FilteredData } from './visible-data.ts';

export interface UpstreamJson {
  readonly of: FilteredData;
  /** The upstream's status. */
  readonly status: number;
  readonly bytes: Uint8Array;
}

export type JsonAnswer =
  | { readonly kind: 'told'; readonly status: number; readonly body: Uint8Array }
  /** Why nothing of it may be passed on. */
  | { readonly kind: 'unreadable'; readonly detail: string };

const LONGEST_ERROR = 1024;

export function narrowJson({ of, status, bytes }: UpstreamJson, allows: ReadyRestriction['allows']): JsonAnswer {
  const read = parsedJson(bytes);
  return status === 200 ? narrowed(of, read, allows) : passedError(status, read);
}

function narrowed(of: FilteredData, read: unknown, allows: ReadyRestriction['allows']): JsonAnswer {
  if (!isRecord(read) || read['status'] !== 'success') {
    return unreadable('the upstream answered with something else than Prometheus does');
  }
  const data = visibleData(of, read['data'], allows);
  if (data === null) return unreadable(`the ${of} of the upstream have a shape that is not known`);
  return told(200, { status: 'success', data });
}

/** Prometheus's own error, and of it only what it is known to have. */
function passedError(upstreamStatus: number, read: unknown): JsonAnswer {
  const { status, errorType, error } = isRecord(read) ? read : {};
  if (isTold(upstreamStatus) && status === 'error' && typeof errorType === 'string' && typeof error === 'string') {
    return told(upstreamStatus, { status, errorType, error: error.slice(0, LONGEST_ERROR) });
  }
  return unreadable(`the upstream answered ${String(upstreamStatus)}`);
}

function told(status: number, body: object): JsonAnswer {
  // Of its own memory: it may go to another thread.
  return { kind: 'told', status, body: new TextEncoder().encode(JSON.stringify(body)) };
}

function unreadable(detail: string): JsonAnswer {
  return { kind: 'unreadable', detail };
}

function parsedJson(text: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text)) as unknown;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
