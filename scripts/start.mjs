// `npm start`: everything that a fresh clone needs (dependencies, build, a first configuration), then the gate itself in
// this same process, so that signals reach it. Arguments go to `promgate run`.
import { checkNodeVersion } from './node-version.mjs';

// Before all that takes time: Node would open its debugger to every user of the host (src/cli/debugger-off.ts).
process.on('SIGUSR1', () => undefined);
checkNodeVersion();
import('./serve.mjs');
