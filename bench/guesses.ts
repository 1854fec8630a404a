/** Guessing passwords: wrk with a script that writes another password with every request, and what it was answered. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '../test/support/processes.ts';
import { behindTheMeter } from './cores.ts';
import { atMost, endedWell, LoadFailed, total } from './proof.ts';
import type { Statuses } from './proof.ts';

/** More than any server here answers in the time: no guess comes twice, so that no cache of wrong ones is of use. */
const GUESSES = 800_000;

/** The credentials are encoded here: wrk's Lua only reads them line by line. FILE is theirs. */
const GUESSING = `local guesses = {}
init = function()
  for line in io.lines("FILE") do guesses[#guesses + 1] = line end
end

local count = 0
request = function()
  count = count + 1
  wrk.headers["Authorization"] = guesses[(count - 1) % #guesses + 1]
  return wrk.format()
end

statuses = {}
response = function(status)
  local key = tostring(status)
  statuses[key] = (statuses[key] or 0) + 1
end

local threads = {}
setup = function(thread) threads[#threads + 1] = thread end
done = function()
  for _, thread in ipairs(threads) do
    for status, number in pairs(thread:get("statuses")) do print("answered " .. status .. " " .. number) end
  end
end
`;

/** So many values of the header Authorization, each with another wrong password. */
export function wrongCredentials(user: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_unused, index) => {
    return `Basic ${Buffer.from(`${user}:guess${index}`).toString('base64')}`;
  });
}

export interface Guessing {
  readonly url: string;
  /** Whose passwords are guessed. */
  readonly user: string;
  readonly directory: string;
  readonly seconds: number;
  readonly connections?: number;
}

/** @returns what the guesses were answered. @throws LoadFailed when wrk fails, or when a guess was right. */
export async function guess({ url, user, directory, seconds, connections = 16 }: Guessing): Promise<Statuses> {
  const script = join(directory, 'guesses.lua');
  const file = join(directory, 'guesses.txt');
  await writeFile(file, `${wrongCredentials(user, GUESSES).join('\n')}\n`);
  await writeFile(script, GUESSING.replace('FILE', file));
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script];
  const [command, ...argv] = behindTheMeter(['wrk', ...options, url]);
  const done = await runProcess(command, argv, { deadlineMs: (seconds + 20) * 1000 });
  endedWell('wrk', done);
  const statuses = readStatuses(done.stdout);
  atMost('guesses', total(statuses), GUESSES);
  if ((statuses['200'] ?? 0) > 0) throw new LoadFailed(`${url} took a wrong password: ${JSON.stringify(statuses)}`);
  return statuses;
}

/** The lines `answered STATUS COUNT`. */
export function readStatuses(text: string): Statuses {
  const statuses: Record<string, number> = {};
  for (const [, status = '', count] of text.matchAll(/^answered (\S+) (\d+)$/gm)) {
    statuses[status] = (statuses[status] ?? 0) + Number(count);
  }
  return statuses;
}
