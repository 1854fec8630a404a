/** The watch sees every way in which files are replaced. Real files, real directories; the clock is the real one. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRegularFile } from '../../src/config/files.ts';
import { watchFiles } from '../../src/config/watch.ts';
import type { FileWatch } from '../../src/config/watch.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { poll } from '../support/poll.ts';

let directory: string;
let changed: string[];
let watching: FileWatch | null;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'promgate-watch-')));
  changed = [];
  watching = null;
});

afterEach(() => {
  watching?.close();
  rmSync(directory, { recursive: true });
});

const at = (name: string) => join(directory, name);

async function watched(names: readonly string[], clock: Clock = systemClock): Promise<void> {
  const files = await Promise.all(
    names.map(async (name) => ({ path: at(name), digest: (await readRegularFile(at(name))).digest })),
  );
  watching = watchFiles(files, { clock, onChange: (paths) => changed.push(...paths) });
}

/** Looks are far apart on a clock that stands still: each try moves it by one. */
const seenOn = (clock: FakeClock, name: string) =>
  poll(`a change of ${name}`, () => {
    clock.advance(5000);
    return changed.includes(at(name));
  });

const seen = (name: string) => poll(`a change of ${name}`, () => changed.includes(at(name)), { deadlineMs: 4000 });

describe('watchFiles', () => {
  it('sees a file that is written in place', async () => {
    writeFileSync(at('a'), 'one');
    await watched(['a']);
    writeFileSync(at('a'), 'two');
    await seen('a');
  });

  it('sees a second rename over the same file', async () => {
    writeFileSync(at('a'), 'one');
    await watched(['a']);
    for (const content of ['two', 'three']) {
      changed = [];
      writeFileSync(at('a.new'), content);
      renameSync(at('a.new'), at('a'));
      await seen('a');
    }
  });

  it('sees the swap of the ..data link of a Kubernetes volume', async () => {
    const publish = (version: string, content: string) => {
      mkdirSync(at(version));
      writeFileSync(join(at(version), 'tls.crt'), content);
      symlinkSync(version, at('..data_tmp'));
      renameSync(at('..data_tmp'), at('..data'));
    };
    publish('..2026_01', 'one');
    symlinkSync('..data/tls.crt', at('tls.crt'));
    await watched(['tls.crt']);
    publish('..2026_02', 'two');
    await seen('tls.crt');
    changed = [];
    publish('..2026_03', 'three');
    await seen('tls.crt');
  });

  it('sees a file go and come back', async () => {
    writeFileSync(at('a'), 'one');
    await watched(['a']);
    unlinkSync(at('a'));
    await seen('a');
    changed = [];
    writeFileSync(at('a'), 'one');
    await seen('a');
  });

  it('says nothing when the content is the same, or another file has changed', async () => {
    writeFileSync(at('a'), 'one');
    writeFileSync(at('marker'), 'one');
    await watched(['a', 'marker']);
    writeFileSync(at('a'), 'one');
    writeFileSync(at('unwatched'), 'x');
    writeFileSync(at('marker'), 'two');
    await seen('marker');
    expect(changed).toEqual([at('marker')]);
  });

  it('sees what changed between the reading of a file and the start of the watch', async () => {
    writeFileSync(at('a'), 'two');
    const clock = createFakeClock();
    watching = watchFiles([{ path: at('a'), digest: 'of another content' }], {
      clock,
      onChange: (paths) => changed.push(...paths),
    });
    await seenOn(clock, 'a');
  });

  it('compares every five seconds, so that a change that raised no event is seen', async () => {
    // The link leads out of the watched directory: nothing happens in it.
    mkdirSync(at('watched'));
    writeFileSync(at('target'), 'one');
    symlinkSync(at('target'), join(at('watched'), 'link'));
    const clock = createFakeClock();
    await watched(['watched/link'], clock);
    writeFileSync(at('target'), 'two');
    clock.advance(4999);
    expect(changed).toEqual([]);
    await seenOn(clock, 'watched/link');
  });

  it('takes over new files and forgets old ones', async () => {
    writeFileSync(at('a'), 'one');
    writeFileSync(at('b'), 'one');
    await watched(['a']);
    watching?.update([{ path: at('b'), digest: (await readRegularFile(at('b'))).digest }]);
    writeFileSync(at('a'), 'two');
    writeFileSync(at('b'), 'two');
    await seen('b');
    expect(changed).toEqual([at('b')]);
  });

  it('takes YAML for whole only when it has not changed for a second, also when it was replaced', async () => {
    writeFileSync(at('a'), 'one');
    const { digest } = await readRegularFile(at('a'));
    watching = watchFiles([{ path: at('a'), digest, source: 'config' }], {
      clock: systemClock,
      onChange: () => changed.push(readFileSync(at('a'), 'utf8')),
    });
    const writing = performance.now() + 1500;
    for (let part = 0; performance.now() < writing; part++) {
      writeFileSync(at('a.new'), `part ${part}`);
      renameSync(at('a.new'), at('a'));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(changed).toEqual([]);
    writeFileSync(at('a'), 'whole');
    await poll('the whole', () => changed.length > 0);
    expect(changed).toEqual(['whole']);
  });

  it('survives a directory that is not there', async () => {
    const clock = createFakeClock();
    await watched(['nowhere/a'], clock);
    mkdirSync(at('nowhere'));
    writeFileSync(at('nowhere/a'), 'one');
    await seenOn(clock, 'nowhere/a');
  });
});
