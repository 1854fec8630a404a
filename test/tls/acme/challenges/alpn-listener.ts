/**
 * A TLS port as the gate has it: looks at the ClientHello first, gives connections for acme-tls/1 to the answerer and
 * every other one to an ordinary HTTPS server.
 */
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Socket } from 'node:net';
import { readClientHello } from '../../../../src/formats/client-hello.ts';
import { ACME_TLS_PROTOCOL, type TlsAlpnAnswerer } from '../../../../src/tls/acme/challenges/tls-alpn.ts';

export interface AlpnListener {
  readonly port: number;
  /** How many requests the server behind it saw. */
  requests(): number;
  close(): Promise<void>;
}

export async function startAlpnListener(
  answerer: TlsAlpnAnswerer,
  pair: { cert: string; key: string },
  port = 0,
): Promise<AlpnListener> {
  let requests = 0;
  const sockets = new Set<Socket>();
  const https = createHttpsServer({ ...pair, ALPNProtocols: ['http/1.1'] }, (_request, response) => {
    requests += 1;
    response.end('the gate');
  });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    if (!answerer.isPending()) https.emit('connection', socket);
    else dispatch(socket, answerer, () => https.emit('connection', socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    requests: () => requests,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function dispatch(socket: Socket, answerer: TlsAlpnAnswerer, pass: () => void): void {
  let received = Buffer.alloc(0);
  const onReadable = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      received = Buffer.concat([received, chunk]);
    }
    const result = readClientHello(received);
    if (result.kind === 'incomplete') return;
    socket.off('readable', onReadable);
    socket.unshift(received);
    const { protocols, serverName } = result.kind === 'hello' ? result.hello : { protocols: [], serverName: null };
    if (protocols.length === 1 && protocols[0] === ACME_TLS_PROTOCOL) answerer.serve(socket, serverName ?? '');
    else pass();
  };
  socket.on('readable', onReadable);
}
