// `npm start`: everything that a fresh clone needs (dependencies, build, a first configuration), then the gate itself in
// this same process, so that signals reach it. Arguments go to `promgate run`.
import { checkNodeVersion } from './node-version.mjs';

checkNodeVersion();
import('./serve.mjs');
