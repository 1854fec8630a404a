/** What a filtered page is asked for as, and what its Content-Type means. */
import { describe, expect, it } from 'vitest';
import { expositionAccept, readContentType } from '../../../src/request/enforce/exposition-formats.ts';

const PROMETHEUS_3 =
  'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,' +
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

describe('expositionAccept', () => {
  it.each([
    [undefined, 'text/plain;version=0.0.4'],
    ['', 'text/plain;version=0.0.4'],
    ['*/*', 'text/plain;version=0.0.4'],
    ['text/html,application/json;q=0.9', 'text/plain;version=0.0.4'],
    ['application/vnd.google.protobuf;q=0.9,*/*', 'text/plain;version=0.0.4'],
    [
      'application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1',
      'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.1',
    ],
    ['Text/Plain; Version=1.0.0; escaping="allow-utf-8"', 'Text/Plain; Version=1.0.0; escaping="allow-utf-8"'],
    [
      PROMETHEUS_3,
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
        'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3',
    ],
    ['text/plain;a=b\u00e9,text/plain;;,text/plain\u0001', 'text/plain;version=0.0.4'],
  ])('makes of %j what the filter reads', (accept, expected) => {
    expect(expositionAccept(accept)).toBe(expected);
  });
});

describe('readContentType', () => {
  it.each([
    ['text/plain', false],
    ['text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8', false],
    ['application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8', true],
    ['Application/OpenMetrics-Text;version="1.0.0"', true],
  ])('passes %j on as it came', (told, isOpenMetrics) => {
    expect(readContentType(told)).toEqual({ isOpenMetrics, told });
  });

  it.each([
    undefined,
    '',
    'text/html',
    'application/json',
    'application/openmetrics-text; version',
    'application/openmetrics-text; version=1.0.0; version=1.0.0',
    'application/openmetrics-text, text/plain',
  ])('takes %j for text and says so to the client', (contentType) => {
    expect(readContentType(contentType)).toEqual({
      isOpenMetrics: false,
      told: 'text/plain; version=0.0.4; charset=utf-8',
    });
  });

  it('does not take protobuf', () => {
    expect(readContentType('application/vnd.google.protobuf; encoding=delimited')).toBeNull();
  });
});
