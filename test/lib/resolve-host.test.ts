import { describe, expect, it } from 'vitest';
import { addressesInHostsFile, createResolveHost } from '../../src/lib/resolve-host.ts';

const HOSTS = `
127.0.0.1 localhost
192.0.2.1\tmaster.example.com master # the centre
# 192.0.2.9 master.example.com
2001:db8::1 MASTER.example.com
`;

describe('addressesInHostsFile', () => {
  it('finds every address of a name, aliases and upper case included, comments excluded', () => {
    expect(addressesInHostsFile(HOSTS, 'master.example.com')).toEqual(['192.0.2.1', '2001:db8::1']);
    expect(addressesInHostsFile(HOSTS, 'master')).toEqual(['192.0.2.1']);
    expect(addressesInHostsFile(HOSTS, 'centre')).toEqual([]);
  });
});

describe('createResolveHost', () => {
  it('asks the hosts file first', async () => {
    const resolve = createResolveHost({ readHosts: () => Promise.resolve(HOSTS), timeoutMs: 100 });
    expect(await resolve('master')).toEqual(['192.0.2.1']);
  });

  it('rejects, naming the host, when there is no answer in time and no hosts file', async () => {
    const resolve = createResolveHost({ readHosts: () => Promise.reject(new Error('ENOENT')), timeoutMs: 100 });
    await expect(resolve('nowhere.invalid')).rejects.toThrow('cannot resolve nowhere.invalid');
  });
});
