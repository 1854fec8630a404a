/**
 * An upstream in a process of its own, so that its memory is not measured with the gate's. It answers with 300 MB; on
 * /small in small chunks without a length, as Prometheus writes a federation.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';

const PROGRAM = `
const http = require('node:http');
let sent = 0;
const block = Buffer.alloc(64 * 1024, 'x');
const server = http.createServer((request, response) => {
  if (request.url === '/sent') return response.end(String(sent));
  const size = request.url === '/small' ? 3600 : block.length;
  response.writeHead(200, request.url === '/small' ? {} : { 'content-length': 300000000 });
  let left = 300000000;
  const more = () => {
    while (left > 0) {
      const chunk = block.subarray(0, Math.min(size, left));
      left -= chunk.length;
      const room = response.write(chunk, () => { sent += chunk.length; });
      if (!room) return response.once('drain', more);
    }
    response.end();
  };
  more();
});
server.listen(0, '127.0.0.1', () => process.stdout.write(String(server.address().port)));
process.stdin.on('end', () => process.exit()).resume();
`;

export interface OriginProcess {
  readonly port: number;
  /** Bytes that have left the process. */
  sent(): Promise<number>;
  close(): Promise<void>;
}

export async function startOriginProcess(): Promise<OriginProcess> {
  const child = spawn(process.execPath, ['-e', PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(text.toString());
  return {
    port,
    async sent() {
      const question = request({ port, host: '127.0.0.1', path: '/sent', agent: false }).end();
      const [answer] = (await once(question, 'response')) as [AsyncIterable<Buffer>];
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk);
      return Number(Buffer.concat(chunks).toString());
    },
    async close() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}
