/**
 * The attack: as somebody who may see some series only, have a second query, a body, a range or a condition go upstream
 * beside the question that the gate has written. Nothing of the request goes but the judged path and a few headers.
 */
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer, AnswerHeaders } from '../../src/request/answer.ts';
import type { AnswerFilter, WrittenQuestion } from '../../src/request/question.ts';
import { curl } from '../support/curl.ts';
import { setStage } from '../request/forward/scrape/stage.ts';
import type { Stage } from '../request/forward/scrape/stage.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Seen {
  readonly request: IncomingMessage;
  body: string;
}

async function behind(question: Partial<WrittenQuestion>): Promise<Stage & { readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const written: WrittenQuestion = {
    method: 'GET',
    query: 'match%5B%5D=mine',
    body: null,
    enforced: 'mine',
    filter: null,
    ...question,
  };
  const stage = await setStage({
    closing,
    before: (passage) => {
      passage.question = written;
      return true;
    },
    answer: (request, response) => {
      const one: Seen = { request, body: '' };
      seen.push(one);
      request.on('data', (chunk: Buffer) => (one.body += chunk.toString()));
      request.on('end', () => {
        response.writeHead(200, { 'content-type': 'text/plain', etag: '"theirs"', 'content-length': '5' }).end('abcde');
      });
    },
  });
  return { ...stage, seen };
}

/** Everything that a client could try to smuggle along. */
const TRICKS = [
  ['-H', 'Range: bytes=0-1'],
  ['-H', 'If-None-Match: "theirs"'],
  ['-H', 'Content-Encoding: gzip'],
  ['-H', 'Content-Language: en'],
  ['-H', 'Accept: application/json'],
  ['-H', 'Accept-Encoding: gzip'],
].flat();

describe.each(['/federate', '/metrics', '/api/v1/series'])('GET %s', (path) => {
  it('asks the written query and nothing else', async () => {
    const { gate, seen } = await behind({});
    const answer = await curl('-g', ...TRICKS, `${gate.url}${path}?match[]=theirs&x=1`);
    expect(answer).toMatchObject({ exit: 0, status: 200 });
    expect(seen[0]?.request.url).toBe(`${path}?match%5B%5D=mine`);
    expect(seen[0]?.request.headers).not.toHaveProperty('content-encoding');
    expect(seen[0]?.request.headers).not.toHaveProperty('content-language');
    expect(seen[0]?.body).toBe('');
  });

  it('asks for the whole in a form that the filter can read, and passes on what the filter writes', async () => {
    const { gate, seen } = await behind({ filter: shouting });
    const answer = await curl('-g', ...TRICKS, `${gate.url}${path}`);
    expect(seen[0]?.request.headers).toMatchObject({ accept: 'text/plain', 'accept-encoding': 'identity' });
    for (const name of ['range', 'if-none-match']) expect(seen[0]?.request.headers).not.toHaveProperty(name);
    expect(answer).toMatchObject({ exit: 0, status: 200, body: 'ABCDE' });
    expect(answer.headers).not.toHaveProperty('etag');
  });
});

it('POST sends the written body with its own length and type', async () => {
  const { gate, seen } = await behind({ method: 'POST', query: '', body: Buffer.from('query=mine') });
  const form = ['-H', 'Content-Type: multipart/form-data; boundary=x', '-d', 'query=theirs'];
  const answer = await curl('-g', ...TRICKS, ...form, `${gate.url}/api/v1/query?query=theirs`);
  expect(answer).toMatchObject({ exit: 0, status: 200 });
  expect(seen[0]?.request).toMatchObject({ method: 'POST', url: '/api/v1/query' });
  expect(seen[0]?.request.headers).toMatchObject({
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': '10',
  });
  expect(seen[0]?.request.headers).not.toHaveProperty('transfer-encoding');
  expect(seen[0]?.body).toBe('query=mine');
});

it('the gate itself is asked the written query too', async () => {
  const asked: string[] = [];
  const { gate } = await setStage({
    closing,
    upstream: { address: { kind: 'self' } },
    self: ({ query }, answer) => {
      asked.push(query);
      answer.open(200, { 'content-length': '0' });
      answer.end();
    },
    before: (passage) => {
      passage.question = { method: 'GET', query: 'mine', body: null, enforced: 'mine', filter: null };
      return true;
    },
  });
  for (const path of ['/federate', '/metrics', '/']) await curl('-g', `${gate.url}${path}?match[]=theirs`);
  expect(asked).toEqual(['mine', 'mine', 'mine']);
});

const shouting: AnswerFilter = {
  accept: 'text/plain',
  over: (answer): Answer => ({
    get opened() {
      return answer.opened;
    },
    get closed() {
      return answer.closed;
    },
    refuse: answer.refuse.bind(answer),
    open(status: number, headers: AnswerHeaders) {
      answer.open(status, { 'content-type': String(headers['content-type']) });
    },
    write: (chunk) => answer.write(Buffer.from(Buffer.from(chunk).toString().toUpperCase())),
    onDrain: answer.onDrain.bind(answer),
    onClose: answer.onClose.bind(answer),
    end: answer.end.bind(answer),
    cut: answer.cut.bind(answer),
  }),
};
