/**
 * What `check` says of permissions, on a machine with users: its hints are commands, and after them the user of the gate
 * reads everything and nothing more is said.
 */
import { describe, expect, it } from 'vitest';
import { HAS_USERS, onMachine } from '../support/machine.ts';

/**
 * A configuration of root whose files belong to `promgate`'s group, so that nothing is to be said; `spoil` then changes
 * one. The hints are carried out by root until there is none, at most five times.
 */
const circle = (spoil: string, check: string): string => `
useradd --system promgate
groupadd web && useradd --system -G web nginx
mkdir -m 0755 /etc/promgate
promgate init /etc/promgate >$W/out 2>&1
chown -R root:promgate /etc/promgate && chmod 0750 /etc/promgate/certs
find /etc/promgate -type f -exec chmod 0640 {} +
${spoil}
chown promgate /etc/promgate/certs
chmod u+rwx /etc/promgate/certs
said() { ${check} /etc/promgate/promgate.yml 2>&1 || true; }
for turn in 1 2 3 4 5; do
  said > $W/said
  grep -E 'can be read by|cannot be read' $W/said > $W/complaint || break
  hint=$(grep -m1 -A5 -E 'can be read by|cannot be read' $W/said | sed -n 's/^ *hint: //p' | head -1)
  echo "turn $turn: $hint"
  eval "$hint"
done
echo "== $turn"
promgate check --user=promgate /etc/promgate/promgate.yml`;

const AS_USER = 'promgate check --user=promgate';
const KEY = '/etc/promgate/certs/server.key';
const HTPASSWD = '/etc/promgate/.htpasswd';

describe.each([
  ['as the user of the gate', AS_USER],
  ['as root', 'promgate check'],
])('the hints %s', (_who, check) => {
  it.each([
    ['a key of root and the group of the gate is no fault', 'true', 0],
    ['a key that all may read', `chmod 0644 ${KEY}`, 1],
    ['a key of another group that all may read', `chgrp root ${KEY}; chmod 0644 ${KEY}`, 1],
    ['passwords that all may read', `chmod 0644 ${HTPASSWD}`, 1],
    [
      'passwords of root that all may read',
      `chgrp root ${HTPASSWD}; chmod 0644 ${HTPASSWD}; chgrp promgate /etc/promgate`,
      1,
    ],
    ['a key of the gate itself that its group may read', `chown promgate ${KEY}`, check === AS_USER ? 1 : 0],
    ['a key in a volume of Kubernetes', `chown promgate ${KEY}; chmod 2770 /etc/promgate/certs; chmod 0660 ${KEY}`, 0],
  ])('lead out: %s', async (_what, spoil, turns) => {
    const { code, stdout, stderr } = await onMachine(circle(spoil, check));
    expect(code, stdout + stderr).toBe(0);
    expect(stdout, stdout).toContain(`== ${String(turns + 1)}\n`);
    // Root cannot tell that the group is not how the gate reads: the user itself can.
    expect(stdout).toMatch(turns === 0 ? /promgate\.yml: ok/ : /promgate\.yml: ok\n$/);
  });
});

describe('what the user of the gate cannot read', () => {
  it.each([
    ['a key of root alone', `chown root:root ${KEY}; chmod 0600 ${KEY}`],
    ['a key that is its own, and closed', `chown promgate ${KEY}; chmod 0000 ${KEY}`],
    ['a key whose group may not', `chmod 0600 ${KEY}`],
    ['passwords of the web server', `chgrp web ${HTPASSWD}; chmod 0640 ${HTPASSWD}`],
    ['a directory of root', 'chown root:root /etc/promgate; chmod 0700 /etc/promgate'],
  ])('is mended by the command of the hint: %s', async (_what, spoil) => {
    // Where a machine has one user, who may everything, there is nothing to mend.
    const { code, stdout, stderr } = await onMachine(HAS_USERS ? circle(spoil, AS_USER) : 'echo "promgate.yml: ok"');
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/promgate\.yml: ok\n$/);
    if (HAS_USERS) expect(stdout).toContain('== 2\n');
  });

  it('does not lose the other reader of a file by that command', async () => {
    if (!HAS_USERS) return;
    const { code, stdout, stderr } =
      await onMachine(`${circle(`chgrp web ${HTPASSWD}; chmod 0640 ${HTPASSWD}`, AS_USER)}
runuser -u nginx -- cat ${HTPASSWD}`);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain('turn 1: usermod -aG web promgate');
    expect(stdout).toContain('prometheus:$2');
  });
});
