/** Root and the user that runs the gate: what root makes the user can read, and `check --user` sees what the user sees. */
import { expect, it } from 'vitest';
import { HAS_USERS, onMachine } from '../support/machine.ts';

it('what root makes with init, passwd and pki belongs to the owner of its directory', async () => {
  const { code, stdout, stderr } = await onMachine(`
useradd --system promgate
install -d -m 0750 -o promgate -g promgate /etc/promgate /var/lib/promgate
promgate init /etc/promgate --state-directory=/var/lib/promgate >$W/out
echo 'a long enough passphrase' | promgate passwd /etc/promgate/other.htpasswd add alice >$W/out
promgate pki issue client alice --directory=/var/lib/promgate/certs >$W/out
promgate pki revoke alice --directory=/var/lib/promgate/certs >$W/out
promgate pki init --directory=/var/lib/promgate/deep/er >$W/out
${HAS_USERS ? 'find /etc/promgate /var/lib/promgate ! -user promgate' : ''}
runuser -u promgate -- promgate check /etc/promgate/promgate.yml`);
  expect(code, stderr).toBe(0);
  expect(stdout).toBe('/etc/promgate/promgate.yml: ok\n');
  expect(stderr).toMatch(/promgate: looked as .* \(uid /);
});

it('check as root is content with what only root can read, and says so; check --user is not', async () => {
  const script = (argument: string): string => `
useradd --system promgate
install -d -m 0755 /etc/promgate
promgate init /etc/promgate >$W/out
promgate check ${argument} /etc/promgate/promgate.yml`;
  const asRoot = await onMachine(script(''));
  expect(asRoot.stdout).toContain('promgate.yml: ok');
  expect(asRoot.stderr).toContain('promgate: looked as root (uid 0)');
  expect(asRoot.stderr).toContain('--user=NAME looks as the user of the gate');
  // Without root the machine has one user.
  if (!HAS_USERS) return;
  const asUser = await onMachine(script('--user=promgate'));
  expect(asUser.code).toBe(1);
  expect(asUser.stderr).toContain('server.key" cannot be read: permission denied');
  expect(asUser.stderr).toContain('promgate: looked as promgate (uid ');
  const unknown = await onMachine(script('--user=nosuchuser'));
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain('there is no user "nosuchuser"');
});
