/** docs/log.md from the table of fields. Pure. */
import { LOG_FIELDS } from '../../observe/log-fields.ts';
import { code, GENERATED, markdownDocument, markdownTable } from './markdown.ts';

export function logDocument(): string {
  return markdownDocument(
    GENERATED,
    '# The log',
    'One line an event, on standard error, in printable ASCII: `--log.format=logfmt` (the default) or `json`, from `--log.level` on. With `json` every line is an object, also the problems of the configuration at the start and the error with which `run` ends. What a stranger typed is escaped and cut.',
    'A refused request is one line (`request refused`), an answered one is (`request`) with `access_log: true`. A failed login has one more, `login failed`, for [fail2ban](fail2ban.md). A connection that is refused before there is a request is one line (`connection refused`).',
    '## Fields',
    'Spelled as the keys of the configuration and the labels of the metrics are. A field that does not apply is left out, or `null`.',
    markdownTable(
      ['Field', 'What it says'],
      Object.entries(LOG_FIELDS).map(([name, meaning]) => [code(name), meaning]),
    ),
  );
}
