import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../find-program.ts';
import type { Subject, SubjectSetup } from './subject.ts';

/** nginx, one worker, upstream keep-alive. */
export function nginx(variant: 'bare' | 'mesh'): Subject {
  return {
    name: 'nginx',
    variant,
    on:
      variant === 'bare'
        ? 'one worker, keep-alive both sides'
        : 'bare + JSON access log to a file, method, path and header checks, retries, timeouts, one added header',
    missing: () =>
      findProgram('nginx') === undefined
        ? 'nginx is not installed (Debian: apt-get install nginx)'
        : undefined,
    start(setup) {
      const file = join(setup.directory, 'nginx.conf');
      writeFileSync(file, configuration(setup, variant));
      const { pid } = setup.spawn(findProgram('nginx') as string, ['-c', file, '-p', setup.directory]);
      return { pids: () => [pid, ...children(pid)] };
    },
  };
}

function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

function configuration(
  { scenario, originPort, listenPort, pki, directory }: SubjectSetup,
  variant: 'bare' | 'mesh',
): string {
  const mesh = variant === 'mesh';
  return `daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log warn;
events { worker_connections 2048; }
http {
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  keepalive_requests 100000000;
  keepalive_timeout 3600s;
${
  mesh
    ? `  log_format json escape=json '{"start":"$time_iso8601","method":"$request_method","path":"$request_uri","status":$status,"bytes":$body_bytes_sent,"duration":$request_time,"upstream":"$upstream_addr","peer":"$remote_addr","id":"$http_x_request_id"}';
  access_log ${directory}/access.log json buffer=64k flush=1s;
  map $http_x_forbidden $forbidden { default 1; "" 0; }
`
    : '  access_log off;\n'
}  upstream origin { server 127.0.0.1:${originPort}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${listenPort};
${
  mesh
    ? `    if ($forbidden) { return 403; }
    if ($request_method !~ ^(GET|POST|PUT|DELETE)$) { return 403; }
    if ($uri !~ ^/(items|orders|reviews)) { return 403; }
`
    : ''
}    location / {
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
${mesh ? '      proxy_set_header X-Forwarded-Proto http;\n      proxy_next_upstream error timeout;\n      proxy_next_upstream_tries 3;\n      proxy_read_timeout 15s;\n' : ''}${
    scenario.upstreamTls
      ? `      proxy_ssl_certificate ${pki.clientCertFile};
      proxy_ssl_certificate_key ${pki.clientKeyFile};
      proxy_ssl_trusted_certificate ${pki.caFile};
      proxy_ssl_verify on;
      proxy_ssl_name origin.bench;
      proxy_ssl_protocols TLSv1.3;
      proxy_pass https://origin;
`
      : '      proxy_pass http://origin;\n'
  }    }
  }
}
`;
}
