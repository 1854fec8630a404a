/**
 * Notices that a file has changed: the directories are watched, because a watch on a file ends with the first rename over
 * it and with the swap of a Kubernetes `..data` link; and the contents are compared every 5 s, because a watch can miss.
 * It never reads more than readRegularFile does, and keeps no content.
 */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../lib/clock.ts';
import { readRegularFile } from './files.ts';

/** Editors and certbot write several files in a row: one look when they are done. */
const DEBOUNCE_MS = 100;
/** In a directory where something happens all the time a look is still taken. */
const LONGEST_DEBOUNCE_MS = 1000;
const COMPARE_MS = 5000;

export interface WatchPorts {
  /** The paths whose contents are not what they were. */
  onChange(paths: readonly string[]): void;
  readonly clock: Clock;
}

export interface FileWatch {
  /** Sets what is watched; files that are known keep the content they were last seen with. */
  update(files: readonly { readonly path: string; readonly digest: string }[]): void;
  close(): void;
}

/** Watches files; `digest` is that of the content which is in use now. */
export function watchFiles(
  files: readonly { readonly path: string; readonly digest: string }[],
  ports: WatchPorts,
): FileWatch {
  const { clock } = ports;
  const seen = new Map<string, string>();
  const directories = new Map<string, FSWatcher>();
  let debounce: Timer | null = null;
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
      const { digest } = await readRegularFile(path);
      const before = seen.get(path);
      if (before === undefined || before === digest) continue;
      seen.set(path, digest);
      changed.push(path);
    }
    return changed;
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

  function update(next: readonly { readonly path: string; readonly digest: string }[]): void {
    if (closed) return;
    const paths = new Set(next.map(({ path }) => path));
    for (const path of seen.keys()) if (!paths.has(path)) seen.delete(path);
    for (const { path, digest } of next) if (!seen.has(path)) seen.set(path, digest);
    watchDirectories();
  }

  update(files);
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
      ticking.cancel();
      for (const watcher of directories.values()) watcher.close();
      directories.clear();
    },
  };
}
