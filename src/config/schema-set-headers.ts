/** Headers that the operator sets on requests upstream: a tenant of Mimir or Cortex, for example. */
import * as z from 'zod';
import { headerNameAsRead } from '../formats/header-name.ts';
import { describeShape } from './scalars.ts';
import type { LeafFault } from './scalars.ts';

/** Lower-case name to value. */
export type SetHeaders = ReadonlyMap<string, string>;

const FIELD_NAME = /^[\w!#$%&'*+.^`|~-]{1,100}$/;
/** RFC 9110 §5.5 without obs-text, and without blanks at the ends. */
const FIELD_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?$/;
/** What the gate writes itself, or what decides how a message is read. In every spelling that a CGI-like server folds. */
const RESERVED = new RegExp(
  `^(?:${[
    'accept.*',
    'authorization',
    'connection',
    'content-.*',
    'cookie',
    'date',
    'expect',
    'forwarded',
    'host',
    'if-.*',
    'keep-alive',
    'proxy-.*',
    'range',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'via',
    'x-forwarded-.*',
    'x-promgate-.*',
    'x-prometheus-.*',
    'x-real-ip',
  ].join('|')})$`,
);

interface Fault {
  readonly message: string;
  readonly hint?: string;
}

/** @returns null: it may be set. */
function faultOf(name: string, value: unknown): Fault | null {
  const quoted = JSON.stringify(name);
  if (!FIELD_NAME.test(name)) return { message: 'not the name of a header' };
  const read = headerNameAsRead(name.toLowerCase());
  if (read === 'authorization') {
    return { message: `${quoted} has keys of its own`, hint: 'write authorization or basic_auth of the upstream' };
  }
  if (RESERVED.test(read)) return { message: `${quoted} is written by the gate, or belongs to the request` };
  if (!isValue(value)) return { message: `the value of ${quoted} is not printable ASCII of 1 to 1024 characters` };
  return null;
}

function isValue(value: unknown): value is string | number {
  return (typeof value === 'string' && FIELD_VALUE.test(value)) || Number.isSafeInteger(value);
}

function readSetHeaders(written: unknown, context: z.RefinementCtx): SetHeaders {
  const headers = new Map<string, string>();
  if (written === undefined || written === null) return headers;
  if (typeof written !== 'object' || Array.isArray(written)) {
    const hint = 'write {X-Scope-OrgID: tenant}';
    const params: LeafFault = { expected: 'a map of headers to values', found: describeShape(written), hint };
    context.addIssue({ code: 'custom', message: '', params });
    return z.NEVER;
  }
  for (const [name, value] of Object.entries(written) as [string, unknown][]) {
    const fault = headers.has(name.toLowerCase()) ? { message: 'the header is there already' } : faultOf(name, value);
    if (fault === null) {
      headers.set(name.toLowerCase(), String(value));
    } else {
      const params: LeafFault = fault.hint === undefined ? {} : { hint: fault.hint };
      context.addIssue({ code: 'custom', message: fault.message, path: [name], params });
    }
  }
  return headers;
}

/** Absent: none. */
export const setHeaders = z.unknown().transform(readSetHeaders).optional();
