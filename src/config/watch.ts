/**
 * Notices that a file has changed: the directories are watched, because a watch on a file ends with the first rename over
 * it and with the swap of a Kubernetes `..data` link; and the contents are compared every 5 s, because a watch can miss.
 * It never reads more than readRegularFile does, and keeps no content.
 */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../lib/clock.ts';
import type { ConfigSource } from './config.ts';
import { readRegularFile } from './files.ts';

/** Editors and certbot write several files in a row: one look when they are done. */
const DEBOUNCE_MS = 100;
/** In a directory where something happens all the time a look is still taken. */
const LONGEST_DEBOUNCE_MS = 1000;
const COMPARE_MS = 5000;
/**
 * A file that is being written in place is for a moment a part of itself, and YAML that is cut off between two keys is
 * YAML: it must have looked the same for this long. A list of users or a CRL that was renamed into its place is taken at
 * once: a half of those is refused, or lets in fewer, not more.
 */
const SETTLED_MS = 1000;

export interface WatchPorts {
  /** The paths whose contents are not what they were. */
  onChange(paths: readonly string[]): void;
  readonly clock: Clock;
}

export interface Watched {
  readonly path: string;
  readonly digest: string;
  /** `config`: the YAML itself and what belongs to it. */
  readonly source?: ConfigSource;
}

export interface FileWatch {
  /** Sets what is watched; files that are known keep the content they were last seen with. */
  update(files: readonly Watched[]): void;
  close(): void;
}

/** Watches files; `digest` is that of the content which is in use now. */
export function watchFiles(files: readonly Watched[], ports: WatchPorts): FileWatch {
  const { clock } = ports;
  const seen = new Map<string, string>();
  /** What must settle however it was replaced. */
  const slow = new Set<string>();
  /** Which file stands at a path: another one was renamed there, the same one was written to. */
  const inodes = new Map<string, number | null>();
  /** Files with a new content, and since when it looks as it does. */
  const unsettled = new Map<string, { readonly digest: string; readonly since: number }>();
  const directories = new Map<string, FSWatcher>();
  let debounce: Timer | null = null;
  let settling: Timer | null = null;
  let firstEventAt: number | null = null;
  let comparing = false;
  let compareAgain = false;
  let closed = false;

  function notice(): void {
    if (closed) return;
    firstEventAt ??= clock.monotonic();
    const left = firstEventAt + LONGEST_DEBOUNCE_MS - clock.monotonic();
    debounce?.cancel();
    debounce = clock.after(Math.max(Math.min(DEBOUNCE_MS, left), 0), () => {
      firstEventAt = null;
      void compare();
    });
  }

  function watchDirectories(): void {
    const wanted = new Set([...seen.keys()].map((path) => dirname(path)));
    for (const [directory, watcher] of directories) {
      if (wanted.has(directory)) continue;
      watcher.close();
      directories.delete(directory);
    }
    for (const directory of wanted) {
      if (directories.has(directory)) continue;
      try {
        const watcher = watch(directory, { persistent: false }, notice);
        watcher.on('error', () => {
          watcher.close();
          if (directories.get(directory) === watcher) directories.delete(directory);
        });
        directories.set(directory, watcher);
      } catch {
        // Not there, or no watches left on this machine: the comparison sees to it.
      }
    }
  }

  async function changedPaths(): Promise<string[]> {
    const changed: string[] = [];
    for (const path of [...seen.keys()]) {
      const inode = await inodeOf(path);
      const { digest } = await readRegularFile(path);
      const before = seen.get(path);
      const wasReplaced = !slow.has(path) && inodes.has(path) && inodes.get(path) !== inode;
      inodes.set(path, inode);
      if (before === undefined || before === digest) {
        unsettled.delete(path);
        continue;
      }
      if (!wasReplaced && !hasSettled(path, digest)) continue;
      unsettled.delete(path);
      seen.set(path, digest);
      changed.push(path);
    }
    if (unsettled.size > 0) lookAgain();
    return changed;
  }

  function hasSettled(path: string, digest: string): boolean {
    const now = clock.monotonic();
    const last = unsettled.get(path);
    if (last?.digest === digest) return now - last.since >= SETTLED_MS;
    unsettled.set(path, { digest, since: now });
    return false;
  }

  function lookAgain(): void {
    settling?.cancel();
    settling = clock.after(SETTLED_MS, () => void compare());
  }

  async function compare(): Promise<void> {
    if (comparing) {
      compareAgain = true;
      return;
    }
    comparing = true;
    do {
      compareAgain = false;
      const changed = await changedPaths();
      // `closed` may have turned true meanwhile, which the compiler cannot see.
      if (isClosed()) return;
      if (changed.length > 0) ports.onChange(changed);
    } while (isAsked());
    comparing = false;
  }

  const isClosed = () => closed;
  const isAsked = () => compareAgain;

  function update(next: readonly Watched[]): void {
    if (closed) return;
    const paths = new Set(next.map(({ path }) => path));
    for (const path of seen.keys()) {
      if (paths.has(path)) continue;
      seen.delete(path);
      inodes.delete(path);
      slow.delete(path);
      unsettled.delete(path);
    }
    for (const { path, digest, source } of next) {
      if (!seen.has(path)) seen.set(path, digest);
      if (source === 'config') slow.add(path);
    }
    watchDirectories();
  }

  update(files);
  void compare();
  const ticking = clock.every(COMPARE_MS, () => {
    // A directory that was replaced is watched under its old inode: begin anew.
    for (const watcher of directories.values()) watcher.close();
    directories.clear();
    watchDirectories();
    void compare();
  });

  return {
    update,
    close() {
      closed = true;
      debounce?.cancel();
      settling?.cancel();
      ticking.cancel();
      for (const watcher of directories.values()) watcher.close();
      directories.clear();
    },
  };
}

/** Of the file that a path leads to, through links; null when there is none. */
async function inodeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ ino }) => ino,
    () => null,
  );
}
