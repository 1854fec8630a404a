/**
 * Each documented deployment for two years: with the commands, the users and the mounts that its page names, nothing ends,
 * because the gate may write what it renews. One that may not says at once what ends when.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { TwoYears } from '../support/two-years.ts';
import { block, HAS_USERS, onMachine } from '../support/machine.ts';

const read = (name: string): string => readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');
const README = read('deploy/README.md');
const UNIT = read('deploy/promgate.service');
const INSTALLED = `${block(README, 'install')}\n${block(README, 'first configuration')}`;

function setting(name: string): string[] {
  return [...UNIT.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].flatMap(([, value = '']) => value.split(' '));
}

/** What ProtectSystem=strict leaves of the file system. */
function sandbox(): string {
  const optional = setting('ReadWritePaths').map((path) => path.replace(/^-/, ''));
  const state = setting('StateDirectory').map((name) => `/var/lib/${name}`);
  return `
mount --bind /etc/promgate /etc/promgate
mount --bind /var/lib /var/lib
for path in ${state.join(' ')}; do install -d -m 0700 -o promgate -g promgate $path; writable $path; done
for path in ${optional.join(' ')}; do if [ -e $path ]; then writable $path; fi; done
mount -o remount,ro,bind /etc/promgate
mount -o remount,ro,bind /var/lib
`;
}

async function liveOn(script: string): Promise<TwoYears & { readonly said: string }> {
  const { code, stdout, stderr } = await onMachine(script);
  expect(code, stdout + stderr).toBe(0);
  const json = stdout.slice(stdout.lastIndexOf('{"listEnded"'));
  return { ...(JSON.parse(json) as TwoYears), said: stdout + stderr };
}

const FOREVER = { listEnded: null, certificateEnded: null, complaints: [], worries: [] };

describe('two years of a gate', { timeout: 120_000 }, () => {
  it('installed as a systemd service, in the sandbox of its unit', async () => {
    const lived = await liveOn(`${INSTALLED}${sandbox()}
runuser -u promgate -- promgate check /etc/promgate/promgate.yml
runuser -u promgate -- bash -c 'two_years /etc/promgate/promgate.yml'`);
    expect(lived).toMatchObject(FOREVER);
    expect(lived.said).toContain('/etc/promgate/promgate.yml: ok\n');
  });

  it('installed before, with the certificates beside the configuration, in the same sandbox', async () => {
    const before = INSTALLED.replace(' --state-directory=/var/lib/promgate', '');
    expect(before).not.toBe(INSTALLED);
    const lived = await liveOn(`${before}${sandbox()}
runuser -u promgate -- bash -c 'two_years /etc/promgate/promgate.yml'`);
    expect(lived).toMatchObject(FOREVER);
  });

  it('in a container, with the mounts of the commands in the Dockerfile', async () => {
    const dockerfile = read('Dockerfile');
    const [folder = ''] = /install -d .* \/etc\/promgate$/m.exec(dockerfile) ?? [];
    const [volume = ''] = /install -d .* \/var\/lib\/promgate$/m.exec(dockerfile) ?? [];
    const runs = [...dockerfile.matchAll(/^# {3}docker run (.*)$/gm)].map(([, rest = '']) => rest);
    const [init = '', serve = ''] = runs;
    expect(runs).toHaveLength(2);
    const volumes = [...serve.matchAll(/-v (\S+)/g)].map(([, mount = '']) => mount);
    expect(volumes).toEqual(['/etc/promgate:/etc/promgate:ro', 'promgate:/var/lib/promgate']);
    const lived = await liveOn(`${folder}\n${volume}
as_user() { setpriv --reuid=1000 --regid=1000 --clear-groups "$@"; }
as_user promgate ${init.slice(init.indexOf(' promgate ') + ' promgate '.length)}
read_only /etc/promgate
as_user promgate check /etc/promgate/promgate.yml
as_user bash -c 'two_years /etc/promgate/promgate.yml'`);
    expect(lived).toMatchObject(FOREVER);
    expect(lived.said).toContain('/etc/promgate/promgate.yml: ok\n');
  });

  it('in Kubernetes, with the volume and the commands of the manifest', async () => {
    interface Container {
      readonly args: readonly string[];
      readonly volumeMounts: readonly { readonly mountPath: string; readonly readOnly?: boolean }[];
    }
    interface Pod {
      readonly securityContext: { readonly fsGroup: number; readonly runAsUser: number; readonly runAsGroup: number };
      readonly initContainers: readonly Container[];
      readonly containers: readonly Container[];
    }
    const objects = parseAllDocuments(read('deploy/kubernetes.yml')).map(
      (one) => one.toJS() as Record<string, unknown>,
    );
    const deployment = objects.find(({ kind }) => kind === 'Deployment');
    const pod = (deployment?.['spec'] as { template: { spec: Pod } }).template.spec;
    const [init, gate] = [pod.initContainers[0], pod.containers[0]];
    const [mount] = gate?.volumeMounts ?? [];
    expect(mount?.readOnly).toBeUndefined();
    const place = mount?.mountPath ?? '';
    const config = gate?.args[1]?.replace('--config.file=', '') ?? '';
    const { runAsUser, runAsGroup, fsGroup } = pod.securityContext;
    // What the kubelet does with a volume before it is mounted.
    const given = `chgrp -R ${String(fsGroup)} ${place}; chmod -R g+rw ${place}; chmod g+xs ${place}`;
    const lived = await liveOn(`mkdir ${place}; ${given}
as_user() { setpriv --reuid=${String(runAsUser)} --regid=${String(runAsGroup)} --groups=${String(fsGroup)} "$@"; }
as_user promgate ${init?.args.join(' ') ?? ''}
${given}
as_user promgate ${init?.args.join(' ') ?? ''}
as_user promgate check ${config}
as_user bash -c 'two_years ${config}'`);
    expect(lived).toMatchObject(FOREVER);
  });

  it('that may write nothing is told so at once, by check, in its log and in its health', async () => {
    const lived = await liveOn(`install -d -m 0750 -o 1000 -g 1000 /etc/promgate
as_user() { setpriv --reuid=1000 --regid=1000 --clear-groups "$@"; }
as_user promgate init /etc/promgate
read_only /etc/promgate
as_user promgate check /etc/promgate/promgate.yml
as_user bash -c 'two_years /etc/promgate/promgate.yml'`);
    expect(lived.listEnded).toBe(30);
    const list =
      /^cannot write \/etc\/promgate\/certs \(EROFS\): the list .*ca\.crl ends \d{4}-.* and nothing renews it$/;
    const certificate =
      /^cannot write .* \(EROFS\): the certificate .*server\.crt ends \d{4}-.* and nothing renews it$/;
    expect(lived.worries).toEqual([expect.stringMatching(list), expect.stringMatching(certificate)]);
    // Once each, not every hour.
    expect(lived.complaints.filter((line) => list.test(line) || certificate.test(line))).toHaveLength(2);
    expect(lived.complaints).toHaveLength(2);
    expect(lived.said).toMatch(/cannot write .*: the list ".*" ends .* and nothing renews it/);
    expect(lived.said).toContain('promgate.yml: ok, 2 warnings');
  });

  it('that may write nothing has a list that lasts as long as its CA, after the command of the hint', async () => {
    const lived = await liveOn(`mkdir /etc/promgate
promgate init /etc/promgate
read_only /etc/promgate
promgate check /etc/promgate/promgate.yml 2>&1 | tee /tmp/said-$$
umount /etc/promgate
eval "$(sed -n 's/.*\`\\(promgate pki crl .*\\)\`.*/\\1/p' /tmp/said-$$)"; rm /tmp/said-$$
read_only /etc/promgate
two_years /etc/promgate/promgate.yml`);
    expect(lived.listEnded).toBeNull();
    expect(lived.worries).toHaveLength(1);
    // The certificate alone, of 397 days.
    expect(lived.certificateEnded).toBe(400);
  });

  it('whose user may not write the directory is told so at once', async () => {
    const lived = await liveOn(`mkdir -m 0755 /etc/promgate
promgate init /etc/promgate
${HAS_USERS ? 'chown -R root:1000 /etc/promgate; chmod -R g+r /etc/promgate' : 'read_only /etc/promgate'}
setpriv --reuid=1000 --regid=1000 --clear-groups bash -c 'two_years /etc/promgate/promgate.yml'`);
    expect(lived.listEnded).toBe(30);
    expect(lived.worries[0]).toContain(
      `cannot write /etc/promgate/certs (${HAS_USERS ? 'EACCES' : 'EROFS'}): the list`,
    );
  });
});
