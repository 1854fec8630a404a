/**
 * The attack: one tenant's line on an exporter's page that ends the page of another, or that reads as another's. A Windows
 * path whose last backslash takes the closing quote, a line feed or a NUL within a value, bytes that are no UTF-8, a label
 * that comes twice; a value that goes on over lines and has a whole sample of the other tenant in it. What is certainly
 * another tenant's is left out and the rest is passed on; what could be anybody's ends the page.
 */
import { describe, expect, it } from 'vitest';
import { expositionFilter } from '../../src/request/enforce/exposition-filter.ts';
import { recordingAnswer } from '../request/enforce/recording-answer.ts';
import { enforcement } from '../request/enforce/restriction-fixture.ts';

const MINE = 'mine{tenant="a"} 1\n';
const { restriction } = enforcement({ labels: [{ label: 'tenant', operator: '=', value: 'a' }] });

function pageFor(line: string): ReturnType<typeof recordingAnswer> {
  const answer = recordingAnswer();
  const filter = expositionFilter(restriction!, undefined).over(answer);
  filter.open(200, { 'content-type': 'text/plain; version=0.0.4' });
  for (const byte of Buffer.from(`${MINE}${line}\n${MINE}`, 'latin1')) filter.write(Buffer.of(byte));
  filter.end();
  return answer;
}

describe('a line of tenant b on the page of tenant a', () => {
  it.each([
    'm{tenant="b",path="C:\\dir"} 1',
    'm{tenant="b",path="C:\\"} 1',
    'm{tenant="b",path="C:\\\nmine{tenant="b"} 2',
    'm{tenant="b"}1',
    'm{tenant="b" path="x"} 1',
    'm{tenant="b",a="\nmine{tenant=\\"a\\"} 2\n"} 1',
    'm{tenant="b",a="\nmine{tenant=\'a\'} 2\n",b="\n"} 1',
    'm{tenant="b",a="x\0y"} 1',
    'm{tenant="b",a="\xff"} 1',
    'm{tenant="b",tenant="c"} 1',
    'm{tenant="b"} one',
    'm{tenant="b"} 1\r',
    'm{tenant="b"',
    'm{tenant="b",',
    'm{tenant="b",a',
    '# HELP m \xff\nm{tenant="b"} 1',
    '{tenant="b"} 1',
    'm{tenant="b",__name__="n"} 1',
  ])('%j is left out', (line) => {
    expect(pageFor(line)).toMatchObject({ status: 200, body: MINE + MINE, ending: 'ended' });
  });

  it.each([
    'm{path="C:\\",tenant="b"} 1',
    'm{tenant="b"\0} 1',
    'm{tenant="b",a="\\\0",tenant="c"} 1',
    'm{tenant="b",tenant="a"} 1',
    'm{tenant="b',
    'tenant="b"} 1',
  ])("%j may be anybody's, and the page is not passed on", (line) => {
    const answer = pageFor(line);
    expect(answer.ending).toBe('cut answer_unreadable');
    expect(answer.detail).toMatch(/^line 2 cannot be read: /);
    expect(answer.body).toBe(MINE);
  });
});
