/**
 * The log: pino, one line an event, as JSON or logfmt. Every line is printable ASCII, so that no value forges a line or
 * moves a terminal's cursor; secrets are censored as a last line of defence.
 */
import { pino } from 'pino';
import { systemClock, type Clock } from '../lib/clock.ts';
import { escapeNonPrintable } from '../lib/foreign-text.ts';
import { toLogfmt } from './logfmt.ts';
import type { Log } from './ports.ts';
import { redactFields, redactLine } from './redact.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ['json', 'logfmt'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogDestination {
  write(text: string): unknown;
  /** Bytes that wait in this process, as `stream.Writable` counts them. */
  readonly writableLength?: number;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly destination: LogDestination;
  readonly clock?: Clock;
}

/** A reader of the log that stands still must not take the process's memory along. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Names that a line has anyway: a field of the same name would be a second one, and readers take the last. */
const RESERVED = ['time', 'level', 'msg'];

export function createLog({ level, format, destination, clock = systemClock }: LogOptions): Log {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'msg',
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      // Errors are described by redactFields; pino's own serializer would add its fields.
      serializers: { err: (described: unknown) => described },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => renameReserved(redactFields(fields)),
      },
    },
    { write: createSink(format, destination, clock) },
  );
  return {
    debug: (fields, message) => {
      logger.debug(fields, message);
    },
    info: (fields, message) => {
      logger.info(fields, message);
    },
    warn: (fields, message) => {
      logger.warn(fields, message);
    },
    error: (fields, message) => {
      logger.error(fields, message);
    },
  };
}

function createSink(format: LogFormat, destination: LogDestination, clock: Clock): (line: string) => void {
  let dropped = 0;
  const render = (line: string): string => {
    const safe = redactLine(line.trimEnd());
    return format === 'logfmt' ? toLogfmt(safe) : escapeNonPrintable(safe);
  };
  return (line) => {
    if ((destination.writableLength ?? 0) > MAX_WAITING_BYTES) {
      dropped += 1;
      return;
    }
    if (dropped > 0) {
      const time = new Date(clock.now()).toISOString();
      const msg = 'log lines dropped: their reader does not keep up';
      destination.write(`${render(JSON.stringify({ level: 'warn', time, dropped, msg }))}\n`);
      dropped = 0;
    }
    destination.write(`${render(line)}\n`);
  };
}

function renameReserved(fields: Record<string, unknown>): Record<string, unknown> {
  for (const name of RESERVED) {
    if (!(name in fields)) continue;
    fields[`${name}_`] = fields[name];
    delete fields[name];
  }
  return fields;
}
