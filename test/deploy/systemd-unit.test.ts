/** The facts of the systemd unit that matter to its security and to a clean stop. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (name: string): string => readFileSync(new URL(`../../deploy/${name}`, import.meta.url), 'utf8');
const UNIT = read('promgate.service');

/** Every value of a setting that is not commented out. */
function setting(name: string, unit = UNIT): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

describe('the unit', () => {
  it('runs the gate as a user of its own, without a capability', () => {
    expect(setting('User')).toEqual(['promgate']);
    expect(setting('CapabilityBoundingSet')).toEqual(['']);
    expect(setting('AmbientCapabilities')).toEqual([]);
    expect(setting('NoNewPrivileges')).toEqual(['yes']);
    expect(setting('ProtectSystem')).toEqual(['strict']);
  });

  it('starts the command of the package with the configuration that it names, and reloads by SIGHUP', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      bin: { promgate: string };
    };
    expect(setting('Type')).toEqual(['exec']);
    expect(setting('ExecStart')).toEqual([
      `/usr/bin/node /opt/promgate/current/${manifest.bin.promgate} run --config.file=/etc/promgate/promgate.yml`,
    ]);
    expect(setting('ExecReload')).toEqual(['/bin/kill -HUP $MAINPID']);
  });

  it('gives the answers in flight longer than the drain time-out before it kills', () => {
    const [stop = ''] = setting('TimeoutStopSec');
    expect(Number(/^(\d+)s$/.exec(stop)?.[1])).toBeGreaterThan(10);
    expect(setting('KillMode')).toEqual([]);
  });

  it('leaves open what the gate needs: memory for the compiler, netlink for addresses, /proc/net for the bypass watch', () => {
    expect(setting('MemoryDenyWriteExecute')).toEqual([]);
    expect(setting('ProcSubset')).toEqual([]);
    expect(setting('RestrictAddressFamilies')[0]?.split(' ')).toEqual(['AF_INET', 'AF_INET6', 'AF_UNIX', 'AF_NETLINK']);
  });
});

describe('the renewal', () => {
  const renewal = read('promgate-renew.service');

  it('runs init of the same program in the folder of the configuration, which nothing else may be written beside', () => {
    const [serve = ''] = setting('ExecStart');
    const start = serve.replace(/ run --config\.file=(.*)\/promgate\.yml$/, ' init $1');
    expect(setting('ExecStart', renewal)).toEqual([start]);
    expect(setting('ProtectSystem', renewal)).toEqual(['strict']);
    expect(setting('ReadWritePaths', renewal)).toEqual(setting('WorkingDirectory'));
  });

  it('is done by the user of the gate, without a capability, and well before the last of the 30 days', () => {
    expect(setting('User', renewal)).toEqual(setting('User'));
    expect(setting('CapabilityBoundingSet', renewal)).toEqual(['']);
    expect(setting('OnCalendar', read('promgate-renew.timer'))).toEqual(['weekly']);
  });
});

describe('the renewal of a server certificate', () => {
  const dropIn = read('promgate-enroll-server.conf');

  it('is that of a client, by the user of the gate and in the folder that the gate has', () => {
    const [client = ''] = setting('ExecStart', read('promgate-enroll@.service'));
    const [state = ''] = setting('StateDirectory');
    const folder = `/var/lib/${state}`;
    expect(setting('ExecStart', dropIn)).toEqual(['', client.replace(/--directory=.*$/, `--directory=${folder}`)]);
    expect(setting('ReadWritePaths', dropIn)).toEqual(['', folder]);
    expect(setting('User', dropIn)).toEqual(setting('User'));
  });
});

describe('the renewal of a client certificate', () => {
  const renewal = read('promgate-enroll@.service');

  it('renews the instance in the one folder that it may write to, as the user of Prometheus', () => {
    const [serve = ''] = setting('ExecStart');
    const [folder = ''] = setting('ReadWritePaths', renewal);
    const start = serve.replace(/ run .*$/, ` pki enroll %i --renew --directory=${folder}`);
    expect(setting('ExecStart', renewal)).toEqual([start]);
    expect(setting('ProtectSystem', renewal)).toEqual(['strict']);
    expect(setting('User', renewal)).toEqual(['prometheus']);
    expect(setting('CapabilityBoundingSet', renewal)).toEqual(['']);
  });

  it('looks every day, not everybody at the same moment', () => {
    const timer = read('promgate-enroll@.timer');
    expect(setting('OnCalendar', timer)).toEqual(['daily']);
    expect(setting('RandomizedDelaySec', timer)).toEqual(['6h']);
    expect(setting('Persistent', timer)).toEqual(['true']);
  });
});
