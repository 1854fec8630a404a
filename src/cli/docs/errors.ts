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
    'Every refusal has one of these reasons. It stands in the log line as `reason`, and is counted in `promgate_refused_total{reason}`. The client is told less: the status and the text in the third column. The request id in the answer finds the log line. Without a status there is no answer: the connection is closed.',
    markdownTable(
      ['Reason', 'Status', 'What the client is told', 'What happened, and what to do'],
      reasons.map(([reason, row]) => [
        code(reason),
        row.status === null ? 'closed' : String(row.status),
        row.public,
        row.meaning,
      ]),
    ),
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
