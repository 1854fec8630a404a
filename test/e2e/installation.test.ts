/** The commands of deploy/README.md, carried out: versions beside each other, back, backup, restore, uninstallation. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { block, onMachine } from '../support/machine.ts';

const README = readFileSync(new URL('../../deploy/README.md', import.meta.url), 'utf8');
const INSTALL = block(README, 'install');

it(
  'installs, upgrades beside what runs, goes back, restores a backup and leaves nothing',
  { timeout: 120_000 },
  async () => {
    const { code, stdout, stderr } = await onMachine(`
mkdir -p /usr/local/bin
${INSTALL}
${block(README, 'first configuration')} >$W/out
# A version that runs: it is the old one to its end, also for what it loads only later.
running=$(realpath /opt/promgate/current/dist/bundle/main.js)
sed -i 's/"version": "[^"]*"/"version": "9.9.9"/' package.json
${INSTALL}
echo "now $(readlink /opt/promgate/current), then $running"
test -e "$running"
${block(README, 'roll back')}
echo "back $(readlink /opt/promgate/current)"
${block(README, 'backup')}
rm -r /etc/promgate/* /etc/promgate/.htpasswd /var/lib/promgate/*
cd /
${block(README, 'restore')} >$W/out
stat -c 'backup %a' /root/promgate.tar.gz
${block(README, 'uninstall')}
ls -d /opt/promgate /usr/local/bin/promgate /etc/promgate /var/lib/promgate 2>/dev/null || echo nothing left`);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain('now 9.9.9, then /opt/promgate/0.1.0/dist/bundle/main.js');
    expect(stdout).toContain('back 0.1.0');
    expect(stdout).toContain('backup 600');
    expect(stdout).toMatch(/nothing left\n$/);
  },
);
