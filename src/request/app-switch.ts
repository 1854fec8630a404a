/**
 * The app that serves now, and those that still answer: one request, one app, one configuration. A switch is one pointer;
 * the old app is closed when its last answer is over.
 */
import type { Config } from '../config/config.ts';
import { buildApp } from './app.ts';
import type { App, RequestHandler, Services } from './app.ts';

export interface AppSwitch {
  readonly handle: RequestHandler;
  /** Builds the app of a configuration; it serves from the moment when it is taken into force. */
  prepare(config: Config): Promise<PreparedApp>;
  /** Closes the apps; to be called when nothing comes in any more. */
  close(): Promise<void>;
}

export interface PreparedApp {
  takeOver(): void;
  /** For one that will not serve after all. */
  discard(): Promise<void>;
}

interface Shift {
  readonly app: App;
  inFlight: number;
  replaced: boolean;
}

export function createAppSwitch(services: Services): AppSwitch {
  let current: Shift | null = null;

  const endIfIdle = async (shift: Shift): Promise<void> => {
    if (!shift.replaced || shift.inFlight > 0) return;
    await shift.app.close();
  };

  return {
    handle(request, response) {
      const shift = current;
      if (shift === null) throw new Error('a request came before the first configuration');
      shift.inFlight += 1;
      let isOver = false;
      response.on('close', () => {
        if (isOver) return;
        isOver = true;
        shift.inFlight -= 1;
        if (shift.replaced) void endIfIdle(shift);
      });
      shift.app.handle(request, response);
    },
    async prepare(config) {
      const app = await buildApp(config, services);
      return {
        takeOver() {
          const before = current;
          current = { app, inFlight: 0, replaced: false };
          if (before === null) return;
          before.replaced = true;
          void endIfIdle(before);
        },
        discard: () => app.close(),
      };
    },
    async close() {
      const last = current;
      if (last === null) return;
      last.replaced = true;
      await endIfIdle(last);
    },
  };
}
