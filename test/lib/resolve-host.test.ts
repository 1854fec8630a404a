import { afterEach, describe, expect, it } from 'vitest';
import { addressesInHostsFile, createResolveHost, searchedNames } from '../../src/lib/resolve-host.ts';
import { startDnsResponder } from '../support/dns-responder.ts';
import type { DnsResponder } from '../support/dns-responder.ts';

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

describe('searchedNames', () => {
  const KUBERNETES = `
nameserver 10.96.0.10
search monitoring.svc.cluster.local svc.cluster.local cluster.local
options ndots:5 edns0
`;

  it('puts the search list before a name with few dots and behind one with many', () => {
    expect(searchedNames(KUBERNETES, 'prometheus', 'pod')).toEqual([
      'prometheus.monitoring.svc.cluster.local',
      'prometheus.svc.cluster.local',
      'prometheus.cluster.local',
      'prometheus',
    ]);
    expect(searchedNames(KUBERNETES, 'a.b.c.d.e.f', 'pod')[0]).toBe('a.b.c.d.e.f');
    expect(searchedNames('search example.com', 'prometheus.monitoring', 'pod')).toEqual([
      'prometheus.monitoring',
      'prometheus.monitoring.example.com',
    ]);
  });

  it('takes the last of search and domain, and the own domain where there is neither', () => {
    expect(searchedNames('search a b\ndomain c d', 'x', 'pod')).toEqual(['x.c', 'x']);
    expect(searchedNames('domain c\nsearch a. .', 'x', 'pod')).toEqual(['x.a', 'x']);
    expect(searchedNames('# search a\n; domain b', 'x', 'pod.example.com')).toEqual(['x.example.com', 'x']);
    expect(searchedNames('', 'x', 'pod')).toEqual(['x']);
  });

  it('has only the name itself where that ends with a dot', () => {
    expect(searchedNames(KUBERNETES, 'prometheus.', 'pod')).toEqual(['prometheus']);
  });

  it('is bounded', () => {
    const domains = Array.from({ length: 500 }, (_none, index) => `d${String(index)}`).join(' ');
    expect(searchedNames(`search ${domains}\noptions ndots:999999`, 'x', 'pod')).toHaveLength(17);
  });
});

describe('a name in DNS', () => {
  let dns: DnsResponder;
  afterEach(() => dns.close());

  async function resolving(search: string, timeoutMs = 5000) {
    dns = await startDnsResponder();
    return createResolveHost({
      readHosts: () => Promise.resolve(HOSTS),
      readResolvConf: () => Promise.resolve(search),
      timeoutMs,
      servers: [`127.0.0.1:${String(dns.port)}`],
    });
  }

  it('that is short is found by the search list', async () => {
    const resolve = await resolving('search monitoring.svc svc\noptions ndots:5');
    dns.missing.add('prometheus.monitoring.svc').add('prometheus');
    dns.addresses.set('prometheus.svc', ['192.0.2.5']);
    expect(await resolve('prometheus')).toEqual(['192.0.2.5']);
    expect(await resolve('prometheus', 'in a hurry')).toEqual(['192.0.2.5']);
    expect(new Set(dns.asked)).toEqual(
      new Set(['prometheus.monitoring.svc', 'prometheus.svc'].flatMap((name) => [`A ${name}`, `AAAA ${name}`])),
    );
  });

  it('has the addresses of both families', async () => {
    const resolve = await resolving('');
    dns.addresses.set('dual.example.com', ['192.0.2.5', '2001:db8:0:0:0:0:0:1']);
    expect(await resolve('dual.example.com')).toEqual(['192.0.2.5', '2001:db8::1']);
    dns.addresses.set('six.example.com', ['2001:db8:0:0:0:0:0:2']);
    expect(await resolve('six.example.com', 'in a hurry')).toEqual(['2001:db8::2']);
  });

  it('does not wait for a family that is silent when it is in a hurry, and fails for neither', async () => {
    const resolve = await resolving('', 60_000);
    dns.addresses.set('dual.example.com', ['192.0.2.5']);
    dns.silent.add('AAAA dual.example.com');
    expect(await resolve('dual.example.com', 'in a hurry')).toEqual(['192.0.2.5']);
  });

  it('has one deadline, however long the search list', { timeout: 10_000 }, async () => {
    const domains = Array.from({ length: 16 }, (_none, index) => `d${String(index)}`);
    const resolve = await resolving(`search ${domains.join(' ')}`, 300);
    for (const domain of domains) dns.silent.add(`A x.${domain}`).add(`AAAA x.${domain}`);
    await expect(resolve('x')).rejects.toThrow('cannot resolve x');
    expect(new Set(dns.asked).size).toBeLessThanOrEqual(4);
  });

  it('is not asked for localhost, which is this host', async () => {
    const resolve = await resolving('search example.com');
    expect(await resolve('prometheus.localhost')).toEqual(['127.0.0.1', '::1']);
    expect(dns.asked).toEqual([]);
  });
});
