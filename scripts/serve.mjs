// What `npm start` does once the Node is known to be new enough.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureBuilt } from './build.mjs';
import { ROOT, printError } from './command.mjs';
import { ensureDependencies } from './dependencies.mjs';

/** How long npm may take to pass a signal on. */
const ECHO_MS = 200;

/** @returns {Promise<number>} the exit code */
async function serve(argv) {
  process.chdir(ROOT);
  await ensureDependencies();
  await ensureBuilt();
  const { main } = await import('../dist/bundle/main.js');
  const ownConfiguration = argv.some((argument) => argument.startsWith('--config.file'));
  if (!ownConfiguration && !existsSync(join(ROOT, 'promgate.yml'))) {
    const code = await main(['init']);
    if (code !== 0) return code;
    if (interrupted) return 130;
  }
  return main(['run', ...argv]);
}

// Ctrl-C reaches this process twice, from the terminal and from npm. The echo must not meet a process that is already
// leaving and no longer catches signals: npm would report it as killed.
let interrupted = false;
process.on('SIGINT', () => {
  interrupted = true;
});

try {
  process.exitCode = await serve(process.argv.slice(2));
} catch (error) {
  printError(error);
  process.exitCode = 1;
}
if (interrupted) await delay(ECHO_MS);
