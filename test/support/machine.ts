/**
 * A machine for one shell script: the real paths of an installation, in namespaces of its own, so that nothing of
 * this machine changes. /etc is an overlay, /opt, /root, /var/lib and /usr/local/bin are empty. Users and owners are real for root;
 * for others the one user that a namespace has stands for all, and only what is mounted read-only is out of reach.
 */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProcess } from './processes.ts';
import type { Finished } from './processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Whether users differ there. */
export const HAS_USERS = process.getuid?.() === 0;

/** The users of two such machines have the same ids: userdel(8) must not find the other one's processes. */
const NAMESPACES = HAS_USERS ? ['-m', '--pid', '--fork', '--kill-child', '--mount-proc'] : ['-rm'];

const ONE_USER = `
useradd() { :; }; userdel() { :; }; groupadd() { :; }; usermod() { :; }; chown() { :; }; chgrp() { :; }
runuser() { shift 3; "$@"; }
setpriv() { while [ "\${1#--}" != "$1" ]; do shift; done; "$@"; }
install() { local a=(); while [ $# -gt 0 ]; do case $1 in -o|-g) shift;; *) a+=("$1");; esac; shift; done; command install "\${a[@]}"; }
`;

/** In the script: $CHECKOUT is a built checkout, `promgate` the program of this one, read_only and writable take paths. */
export async function onMachine(script: string): Promise<Finished> {
  const place = mkdtempSync(join(tmpdir(), 'promgate-machine-'));
  const head = `set -euo pipefail
W=${place}
mount -t tmpfs -o mode=0755 tmpfs $W
mkdir -p $W/etc $W/etc-work $W/src $W/bin $W/checkout
mount --rbind ${ROOT} $W/src
touch $W/bin/node && mount --bind ${process.execPath} $W/bin/node
printf '#!/bin/sh\\nexec ${place}/bin/node ${place}/src/dist/bundle/main.js "$@"\\n' > $W/bin/promgate && chmod 755 $W/bin/promgate
export PATH=$W/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t overlay overlay -o lowerdir=/etc,upperdir=$W/etc,workdir=$W/etc-work /etc
for made in /opt /root /var/lib /usr/local/bin; do mount -t tmpfs -o mode=0755 tmpfs $made; done
CHECKOUT=$W/checkout
cp -r $W/src/package.json $W/src/LICENSE $W/src/dist $W/src/deploy $CHECKOUT
ln -s $W/src/node_modules $CHECKOUT/node_modules
read_only() { for one in "$@"; do mount --bind $one $one; mount -o remount,ro,bind $one; done; }
writable() { for one in "$@"; do mount --bind $one $one; done; }
two_years() { node $W/src/node_modules/tsx/dist/cli.mjs $W/src/test/support/two-years.ts "$@"; }
export -f two_years; export W
${HAS_USERS ? '' : ONE_USER}
cd $CHECKOUT
`;
  try {
    return await runProcess('unshare', [...NAMESPACES, 'bash', '-c', head + script], { deadlineMs: 120_000 });
  } finally {
    rmdirSync(place);
  }
}

/** The commands of a block of a page: the one behind `<!-- NAME -->`. @throws Error when there is none. */
export function block(page: string, name: string): string {
  const found = new RegExp(`<!-- ${name} -->\\n+\`\`\`sh\\n([^]*?)\`\`\``).exec(page)?.[1];
  if (found === undefined) throw new Error(`there is no block ${JSON.stringify(name)}`);
  return found;
}
