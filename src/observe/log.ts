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
  /** `done` hears once whether the text was written, as `stream.Writable` does it. */
  write(text: string, done: (error?: Error | null) => void): unknown;
  /** Bytes that wait in this process, as `stream.Writable` counts them. */
  readonly writableLength?: number;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly destination: LogDestination;
  readonly clock?: Clock;
  /** Hears of each line that is lost. */
  readonly onLost?: (reason: LogLoss) => void;
}

/** Why a line is lost: its reader stands still, or it cannot be written (a closed pipe, a full disk). */
export const LOG_LOSSES = ['reader_slow', 'write_failed'] as const;
export type LogLoss = (typeof LOG_LOSSES)[number];

/** A reader of the log that stands still must not take the process's memory along. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Names that a line has anyway: a field of the same name would be a second one, and readers take the last. */
const RESERVED = ['time', 'level', 'msg'];

export function createLog({ level, format, destination, clock = systemClock, onLost }: LogOptions): Log {
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
        log: (fields) => spelled(redactFields(fields)),
      },
    },
    { write: createSink({ format, destination, clock, onLost: onLost ?? (() => undefined) }) },
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

function createSink(ports: Omit<Required<LogOptions>, 'level'>): (line: string) => void {
  const { format, destination, clock, onLost } = ports;
  let dropped = 0;
  let failed: { lines: number; readonly since: number; code: string } | null = null;
  let isTelling = false;
  const render = (line: string): string => {
    const safe = redactLine(line.trimEnd());
    return `${format === 'logfmt' ? toLogfmt(safe) : escapeNonPrintable(safe)}\n`;
  };
  const own = (fields: object, msg: string): string =>
    render(JSON.stringify({ level: 'warn', time: new Date(clock.now()).toISOString(), ...fields, msg }));
  const hear = (error?: Error | null): void => {
    if (error === undefined || error === null) return;
    const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
    failed ??= { lines: 0, since: clock.now(), code };
    failed.lines += 1;
    failed.code = code;
    onLost('write_failed');
  };
  /** Written first when the log is whole again; until then it fails like every line, and is tried with the next one. */
  const tellFailed = (): void => {
    if (failed === null || isTelling) return;
    const { lines, since, code } = failed;
    isTelling = true;
    const fields = { lost: lines, since: new Date(since).toISOString(), code };
    // A full disk cuts the last line that it takes.
    const cut = code === 'EPIPE' ? '' : '\n';
    destination.write(`${cut}${own(fields, 'log lines lost: they could not be written')}`, (error) => {
      isTelling = false;
      if (failed === null || (error !== undefined && error !== null)) return;
      failed = failed.lines > lines ? { ...failed, lines: failed.lines - lines } : null;
    });
  };
  return (line) => {
    if ((destination.writableLength ?? 0) > MAX_WAITING_BYTES) {
      dropped += 1;
      onLost('reader_slow');
      return;
    }
    tellFailed();
    if (dropped > 0) {
      destination.write(own({ dropped }, 'log lines dropped: their reader does not keep up'), hear);
      dropped = 0;
    }
    destination.write(render(line), hear);
  };
}

/** Every field in snake_case, as the keys of the configuration and the labels of the metrics are; docs/log.md lists them. */
function spelled(fields: Record<string, unknown>): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const spelling = fieldName(name);
    line[RESERVED.includes(spelling) ? `${spelling}_` : spelling] = value;
  }
  return line;
}

/** `durationMs` → `duration_ms`. */
export function fieldName(name: string): string {
  return /[A-Z]/.test(name) ? name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase() : name;
}
