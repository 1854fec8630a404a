/** The peers, each set up as its own documentation says for a reverse proxy with basic authentication. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../../test/support/programs.ts';
import { temporaryPaths } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { startPeer } from './peer.ts';
import type { PeerKind } from './peer.ts';

const NEWEST = fileURLToPath(new URL('../../.cache/servers/bench/usr/bin', import.meta.url));
export const CADDY = join(NEWEST, 'caddy');
export const VMAUTH = join(NEWEST, 'vmauth');

const host = (url: string): string => new URL(url).host;

async function written(lab: Lab, name: string, text: string): Promise<string> {
  const file = join(lab.directory, name);
  await writeFile(file, text);
  return file;
}

export const nginx: PeerKind = {
  name: 'nginx',
  start: (lab, { upstream = lab.upstream }) =>
    startPeer({
      lab,
      name: 'nginx',
      command: findProgram('nginx'),
      prepare: async (port) => {
        const file = await written(
          lab,
          `nginx-${port}.conf`,
          `daemon off; master_process off; pid ${lab.directory}/nginx-${port}.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; ${temporaryPaths(lab.directory, `nginx-${port}`)}
  keepalive_requests 100000000; keepalive_timeout 300s;
  upstream target { server ${host(upstream)}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${lab.certFile}; ssl_certificate_key ${lab.keyFile}; ssl_session_cache shared:s:1m;
    auth_basic "bench"; auth_basic_user_file ${lab.htpasswdFile};
    location / { proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`,
        );
        return ['-c', file, '-e', 'stderr'];
      },
    }),
};

export const haproxy: PeerKind = {
  name: 'HAProxy',
  start: (lab, { upstream = lab.upstream }) =>
    startPeer({
      lab,
      name: 'HAProxy',
      command: findProgram('haproxy'),
      prepare: async (port) => {
        // It wants certificate and key in one file.
        const { readFile } = await import('node:fs/promises');
        const pem = (await readFile(lab.certFile, 'utf8')) + (await readFile(lab.keyFile, 'utf8'));
        const pemFile = await written(lab, `haproxy-${port}.pem`, pem);
        const file = await written(
          lab,
          `haproxy-${port}.cfg`,
          `global
  maxconn 4096
  nbthread 1
defaults
  mode http
  timeout client 300s
  timeout server 300s
  timeout connect 5s
  http-reuse always
userlist users
  user ${lab.user} password ${lab.bcrypt}
frontend front
  bind 127.0.0.1:${port} ssl crt ${pemFile} alpn h2,http/1.1
  http-request auth realm bench unless { http_auth(users) }
  default_backend back
backend back
  server target ${host(upstream)}
`,
        );
        return ['-db', '-f', file];
      },
    }),
};

export const caddy: PeerKind = {
  name: 'Caddy',
  start: (lab, { upstream = lab.upstream }) =>
    startPeer({
      lab,
      name: 'Caddy',
      command: CADDY,
      environment: { HOME: lab.directory, XDG_DATA_HOME: lab.directory, XDG_CONFIG_HOME: lab.directory },
      prepare: async (port) => {
        const file = await written(
          lab,
          `Caddyfile-${port}`,
          `{
  admin off
  auto_https off
  persist_config off
  default_sni localhost
}
:${port} {
  bind 127.0.0.1
  tls ${lab.certFile} ${lab.keyFile}
  basic_auth {
    ${lab.user} ${lab.bcrypt}
  }
  reverse_proxy ${host(upstream)}
}
`,
        );
        return ['run', '--adapter', 'caddyfile', '--config', file];
      },
    }),
};

export const vmauth: PeerKind = {
  name: 'vmauth',
  start: (lab, { upstream = lab.upstream }) =>
    startPeer({
      lab,
      name: 'vmauth',
      command: VMAUTH,
      prepare: async (port) => {
        const users = [{ username: lab.user, password: lab.password, url_prefix: upstream }];
        const file = await written(lab, `vmauth-${port}.yml`, JSON.stringify({ users }));
        return [
          `-auth.config=${file}`,
          `-httpListenAddr=127.0.0.1:${port}`,
          '-tls',
          `-tlsCertFile=${lab.certFile}`,
          `-tlsKeyFile=${lab.keyFile}`,
          '-loggerLevel=ERROR',
        ];
      },
    }),
};
