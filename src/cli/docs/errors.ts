/** docs/errors.md from the tables of refusals and of error codes. Pure. */
import { ERROR_CODES } from '../../lib/errors.ts';
import { DENY_REASONS, type DenyReasonRow } from '../../request/deny-reasons.ts';
import { code, GENERATED, markdownDocument, markdownTable } from './markdown.ts';

export function errorsDocument(): string {
  const reasons: readonly (readonly [string, DenyReasonRow])[] = Object.entries(DENY_REASONS);
  return markdownDocument(
    GENERATED,
    '# Errors',
    '## Refusals',
    'Every refusal has one of these reasons. It stands in the log line as `reason`, and is counted in `promgate_refused_total{reason}`. A connection that came to an ordinary end is no refusal, but is counted there too; its line is logged at debug, where the table says so. The client is told less: the status and the text in the third column. The request id in the answer finds the log line. Without a status there is no answer: the connection is closed.',
    markdownTable(
      ['Reason', 'Status', 'What the client is told', 'What happened, and what to do'],
      reasons.map(([reason, row]) => [
        code(reason),
        row.status === null ? 'closed' : String(row.status),
        row.public,
        row.level === undefined ? row.meaning : `${row.meaning} ${endNote(row)}`,
      ]),
    ),
    'A client whose certificate is refused (`certificate_…`, `crl_expired`) reads the answer only where `exempt` has paths. Without any the connection is closed right after the handshake, before any answer: the client sees a reset, which is no fault of the network. The log line has the reason.',
    '## Errors of commands',
    'A command that fails says `promgate: error: …` on standard error and, where there is a way out, `promgate: hint: …`.',
    markdownTable(
      ['Code', 'Meaning'],
      Object.entries(ERROR_CODES).map(([name, meaning]) => [code(name), meaning]),
    ),
    '## Exit codes',
    markdownTable(
      ['Exit code', 'Meaning'],
      [
        ['0', 'Done.'],
        ['1', 'Failed, or problems were found.'],
        ['2', 'The command line is wrong.'],
      ],
    ),
  );
}

function endNote({ level, status }: DenyReasonRow): string {
  const note = `The end of a connection for it is logged at ${String(level)}`;
  return status === null ? `${note}.` : `${note}, a refused request as every other.`;
}
