/** Sends bytes that no well-behaved client would send, over TLS, and reads what comes until the connection ends. */
import { connect } from 'node:tls';

export interface RawAnswer {
  /** The status of each answer, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
}

/**
 * Writes `bytes` over TLS with ALPN http/1.1 and reads until the server closes, `until` matches, or `deadlineMs` is over.
 */
export function sendRaw(
  port: number,
  bytes: string | Buffer,
  { until = /$^/, deadlineMs = 5_000 }: { readonly until?: RegExp; readonly deadlineMs?: number } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    // The test is about what is sent, not about who answers.
    const socket = connect({ host: '127.0.0.1', port, ALPNProtocols: ['http/1.1'], rejectUnauthorized: false });
    let text = '';
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1]));
      resolve({ statuses: statuses.filter((status) => status >= 200), text });
    };
    const timer = setTimeout(finish, deadlineMs);
    socket.setEncoding('latin1');
    socket.once('secureConnect', () => socket.write(bytes));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (until.test(text)) finish();
    });
    socket.on('close', finish);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') reject(error);
    });
  });
}
