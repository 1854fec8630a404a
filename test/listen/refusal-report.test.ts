import { describe, expect, it } from 'vitest';
import { createRefusalReport } from '../../src/listen/refusal-report.ts';
import { noMetrics } from '../../src/observe/ports.ts';
import { DENY_REASONS, DENY_REASON_NAMES, type DenyReasonRow } from '../../src/request/deny-reasons.ts';
import { recordingLog } from '../observe/recording-log.ts';

function told(...reported: Parameters<ReturnType<typeof createRefusalReport>>) {
  const log = recordingLog();
  const counted: string[] = [];
  createRefusalReport({ log, metrics: { ...noMetrics, refused: (reason) => counted.push(reason) } })(...reported);
  return { counted, lines: log.lines.map(({ level, message }) => `${level} ${message}`) };
}

describe('the report of a connection', () => {
  it('has one count and one line for every reason, at the level that docs/errors.md says', () => {
    for (const reason of DENY_REASON_NAMES) {
      const { level }: DenyReasonRow = DENY_REASONS[reason];
      const line = level === 'debug' ? 'debug connection ended' : 'info connection refused';
      expect(told(reason, '192.0.2.1')).toEqual({ counted: [reason], lines: [line] });
    }
  });

  it('calls only the ordinary ends of a connection no refusal', () => {
    const ends = DENY_REASON_NAMES.filter((reason) => 'level' in DENY_REASONS[reason]);
    expect(ends).toEqual(['idle_timeout', 'connection_expired', 'draining']);
  });

  it('is quiet about a client that leaves in its handshake, and about no other failure of one', () => {
    expect(told('tls_handshake_failed', '192.0.2.1', { detail: 'ECONNRESET' }).lines[0]).toMatch(/^debug/);
    expect(told('tls_handshake_failed', '192.0.2.1', { detail: 'ERR_SSL_HTTP_REQUEST' }).lines[0]).toMatch(/^info/);
  });
});
