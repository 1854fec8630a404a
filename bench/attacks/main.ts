/**
 * A program of its own: `main.ts NAME`, the target as JSON on standard input. Prints `under way`, and at SIGTERM a line
 * `counted NAME COUNT` for each thing that it has done.
 */
import { text } from 'node:stream/consumers';
import type { Attack, Target } from './attack.ts';
import { endlessBodies } from './endless-bodies.ts';
import { headerBallast } from './header-ballast.ts';
import { longChains } from './long-chains.ts';
import { silentSockets } from './silent-sockets.ts';
import { slicedHellos } from './sliced-hellos.ts';
import { unreadAnswers } from './unread-answers.ts';

const ATTACKS: Readonly<Record<string, Attack>> = {
  'unread-answers': unreadAnswers,
  'sliced-hellos': slicedHellos,
  'long-chains': longChains,
  'header-ballast': headerBallast,
  'endless-bodies': endlessBodies,
  'silent-sockets': silentSockets,
};

const attack = ATTACKS[process.argv[2] ?? ''];
if (attack === undefined) throw new Error(`there are ${Object.keys(ATTACKS).join(', ')}`);
const attacker = await attack(JSON.parse(await text(process.stdin)) as Target);
process.once('SIGTERM', () => {
  for (const [name, count] of Object.entries(attacker.counts())) console.log(`counted ${name} ${count}`);
  process.exit(0);
});
console.log('under way');
