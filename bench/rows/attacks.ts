/** Strangers, and an identity among others, that want the gate to themselves: what a good scraper notices of them. */
import { start, stopAll } from '../contenders.ts';
import { sumOf } from '../exposed.ts';
import { mebibytes, milliseconds } from '../figures.ts';
import type { Lab } from '../lab.ts';
import { calm, latencyOf } from '../latency.ts';
import type { Compared, Latency } from '../latency.ts';
import { metricsOf, startGate } from '../peers/gate.ts';
import type { GateOptions } from '../peers/gate.ts';
import type { Peer } from '../peers/peer.ts';
import { peakBytes } from '../process.ts';
import { atLeastAsMuch } from '../proof.ts';
import { startAttack } from '../running-attack.ts';
import type { Counts } from '../running-attack.ts';
import { startEndlessOrder } from '../endless-order.ts';
import type { Row } from './row.ts';

/** What the gate has seen since the attack began. */
interface Seen {
  readonly opened: number;
  readonly refused: number;
  /** Answered, or under way. */
  readonly requests: number;
}

interface AttackCase {
  /** As bench/attacks/main.ts has it. */
  readonly name: string;
  readonly title: string;
  readonly words: string;
  readonly gate?: GateOptions;
  /** The gate proves its name to a CA that never looks. */
  readonly hasChallenge?: boolean;
  /** @throws LoadFailed when the attacker has not attacked, or the gate has not seen it. */
  readonly prove: (counts: Counts, seen: Seen) => void;
}

/** What an attacker says that it began, and what the gate has accepted or refused: it may count more, never much less. */
function arrived(what: string, count: number, least: number, seen: number): void {
  atLeastAsMuch(`${what}, at the attacker`, count, least);
  atLeastAsMuch(`${what}, at the gate`, seen, 0.8 * count);
}

const CASES: readonly AttackCase[] = [
  {
    name: 'unread-answers',
    title: 'Answers that are not read',
    words: 'one identity asks for 150 answers of 17 MB over 5 connections of HTTP/2 and reads none',
    prove: ({ asked = 0 }, { requests }) => {
      arrived('requests', asked, 128, requests);
    },
  },
  {
    name: 'sliced-hellos',
    title: 'ClientHellos in slices',
    words: 'ClientHellos in records of one byte, 20 connections at a time, while an ACME challenge is pending',
    hasChallenge: true,
    prove: ({ connected = 0, segments = 0 }, { opened, refused }) => {
      arrived('connections', connected, 20, opened + refused);
      atLeastAsMuch('segments sent', segments, connected);
    },
  },
  {
    name: 'long-chains',
    title: 'Long chains of certificates',
    words: 'handshakes with 71 client certificates of slow keys, two at a time',
    gate: { isClientCaTrusted: true, keys: ['authenticate: either'] },
    prove: ({ begun = 0 }, { opened, refused }) => {
      arrived('handshakes', begun, 4, opened + refused);
    },
  },
  {
    name: 'header-ballast',
    title: 'Headers as ballast',
    words: '240 connections of HTTP/2 from one address, 32 requests with 56 KB of headers in each, by strangers',
    prove: ({ connections = 0, asked = 0 }, { opened, refused }) => {
      arrived('connections', connections, 200, opened + refused);
      atLeastAsMuch('requests sent', asked, connections);
    },
  },
  {
    name: 'endless-bodies',
    title: 'Bodies without an end',
    words: 'one identity begins 1 920 bodies of 60 KB, from eight addresses, and ends none',
    prove: ({ begun = 0, bytes = 0 }, { requests }) => {
      arrived('bodies', begun, 1_000, requests);
      atLeastAsMuch('bytes sent', bytes, 60_000 * 100);
    },
  },
  {
    name: 'silent-sockets',
    title: 'Silent connections',
    words: '4 114 connections of 17 addresses that say nothing',
    prove: ({ connected = 0 }, { opened, refused }) => {
      arrived('connections', connected, 4_114, opened + refused);
    },
  },
];

/** Every refusal is one of a connection or of a request; requests that are refused have a status, too. */
async function count(peer: Peer): Promise<Seen> {
  const page = await metricsOf(peer);
  return {
    opened: sumOf(page, 'promgate_connections_opened_total'),
    refused: sumOf(page, 'promgate_refused_total'),
    requests: sumOf(page, 'promgate_requests_total') + sumOf(page, 'promgate_requests_in_flight'),
  };
}

interface Both {
  /** The static upstream, asked directly: what the scraper's own processor adds. */
  readonly direct: Latency;
  /** Over one connection. */
  readonly kept: Latency;
  /** A connection, and a handshake, for each scrape: a newcomer. */
  readonly fresh: Latency;
}

async function scrapeBoth(lab: Lab, url: string, seconds: number): Promise<Both> {
  const [direct, kept, fresh] = await Promise.all([
    latencyOf(lab, `${lab.upstream}/federate?page=two`, seconds, { everyMs: 25 }),
    latencyOf(lab, url, seconds),
    latencyOf(lab, url, seconds, { isFresh: true, everyMs: 25 }),
  ]);
  return { direct, kept, fresh };
}

interface Measured {
  readonly direct: Compared;
  readonly kept: Compared;
  readonly fresh: Compared;
  readonly counts: Counts;
  readonly peak: number;
}

async function measure(lab: Lab, one: AttackCase, peer: Peer): Promise<Measured> {
  const url = `${peer.url}/federate?page=two`;
  const seconds = lab.quick ? 3 : 6;
  await scrapeBoth(lab, url, 1);
  const quiet = await scrapeBoth(lab, url, seconds);
  const earlier = await count(peer);
  const attack = await startAttack(one.name, {
    port: Number(new URL(peer.url).port),
    authorization: lab.otherAuthorization,
  });
  let counts: Counts;
  let loaded: Both;
  let meanwhile: Seen;
  try {
    loaded = await scrapeBoth(lab, url, seconds);
    meanwhile = await count(peer);
  } finally {
    counts = await attack.stop();
  }
  const after = await count(peer);
  // What was under way is in no count once the attacker has gone.
  const later = { ...after, requests: Math.max(meanwhile.requests, after.requests) };
  one.prove(counts, {
    opened: later.opened - earlier.opened,
    refused: later.refused - earlier.refused,
    requests: later.requests - earlier.requests,
  });
  return {
    direct: { quiet: quiet.direct, loaded: loaded.direct },
    kept: { quiet: quiet.kept, loaded: loaded.kept },
    fresh: { quiet: quiet.fresh, loaded: loaded.fresh },
    counts,
    peak: peakBytes(peer.pid),
  };
}

async function runCase(lab: Lab, one: AttackCase): Promise<Measured> {
  const order = one.hasChallenge === true ? await startEndlessOrder(lab) : null;
  const peers: Peer[] = [];
  try {
    const options = { ...one.gate, identities: [OTHER(lab)], ...(order === null ? {} : { keys: order.keys }) };
    const kind = { name: `promgate (${one.name})`, start: (given: Lab) => startGate(given, options) };
    const peer = await start(lab, kind);
    peers.push(peer);
    await order?.pending();
    return await measure(lab, one, peer);
  } finally {
    await stopAll(peers);
    await order?.close();
  }
}

/** Restricted, so that the gate reads its forms. */
const OTHER = ({ otherUser }: Lab): string =>
  `{name: other, password_users: [${otherUser}], paths: ["@scrape", "@query"]}`;

const METHOD =
  'Meanwhile one scraper asks every 5 ms over a connection that it keeps, and one every 25 ms over a new connection each time: their latencies, quiet and during the attack. The attacker comes from other addresses, and has of the scraper’s processor only what nothing else wants (SCHED_IDLE); the upstream, asked directly, shows what it takes all the same. The row fails when the attacker, a program of its own, has done less than that, or when the gate has seen less than four fifths of it in its metrics.';

const HEADER = ['scraper', 'quiet p50', 'p99', 'attacked p50', 'p99', 'not answered'];

function rowOf(one: AttackCase): Row {
  return {
    name: one.name,
    title: one.title,
    method: `${one.words[0]?.toUpperCase() ?? ''}${one.words.slice(1)}. ${METHOD}`,
    async run(lab) {
      const { direct, kept, fresh, counts, peak } = await runCase(lab, one);
      const lineOf = (scraper: string, { quiet, loaded }: Compared): string[] => [
        scraper,
        ...[quiet.p50, quiet.p99, loaded.p50, loaded.p99].map(milliseconds),
        String(loaded.failures),
      ];
      const done = Object.entries(counts).map(([name, number]) => `${name} ${number}`);
      return {
        verdicts: [calm('kept connection', kept), calm('new connections', fresh)],
        header: HEADER,
        lines: [
          lineOf('kept connection', kept),
          lineOf('new connections', fresh),
          lineOf('the upstream, without a gate', direct),
        ],
        notes: [`The attacker: ${done.join(', ')}. Memory of the gate at its peak: ${mebibytes(peak)}.`],
      };
    },
  };
}

export const attacks: readonly Row[] = CASES.map(rowOf);
