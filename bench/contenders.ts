/** Starting and ending what is compared. */
import type { Lab } from './lab.ts';
import { gate, startGate } from './peers/gate.ts';
import type { GateOptions } from './peers/gate.ts';
import type { Peer, PeerKind, PeerOptions } from './peers/peer.ts';

/** The gate, and with `PROMGATE_BENCH_ALSO=PATH/dist/bundle/main.js` another build of it, to see what a change is worth. */
export function gates(options: GateOptions = {}): PeerKind[] {
  const main = process.env['PROMGATE_BENCH_ALSO'];
  const own: PeerKind = { name: gate.name, start: (lab, given) => startGate(lab, { ...options, ...given }) };
  if (main === undefined || main === '') return [own];
  const name = 'promgate (other build)';
  return [own, { name, start: (lab, given) => startGate(lab, { ...options, ...given, name, main }) }];
}

export function start(lab: Lab, kind: PeerKind, options: PeerOptions = {}): Promise<Peer> {
  lab.say(`starting ${kind.name}`);
  return kind.start(lab, options);
}

/** All or none. */
export async function startAll(lab: Lab, kinds: readonly PeerKind[], options: PeerOptions = {}): Promise<Peer[]> {
  const peers: Peer[] = [];
  try {
    for (const kind of kinds) peers.push(await start(lab, kind, options));
    return peers;
  } catch (error) {
    await stopAll(peers);
    throw error;
  }
}

export async function stopAll(peers: readonly Peer[]): Promise<void> {
  await Promise.all(peers.map((peer) => peer.stop()));
}
