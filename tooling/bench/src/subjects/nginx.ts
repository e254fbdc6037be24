import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../find-program.ts';
import type { Scenario } from '../scenarios.ts';
import { ALLOWED_PREFIXES, many, type Subject, type SubjectSetup } from './subject.ts';

/** nginx, one worker, upstream keep-alive. */
export function nginx(variant: 'bare' | 'mesh'): Subject {
  return {
    name: 'nginx',
    variant,
    on:
      variant === 'bare'
        ? 'one worker, keep-alive both sides'
        : 'bare + JSON access log to a file, method, path and header checks, retries, timeouts, one added header',
    between: 'http1',
    // It asks origins in HTTP/2 for gRPC only (`grpc_pass`).
    upstream: (scenario) => (isGrpc(scenario) ? 'http2' : 'http1'),
    note(scenario) {
      if (scenario.pair) return 'HTTP/1.1 between the two';
      if (isGrpc(scenario)) return 'grpc_pass: one stream a connection to the origin';
      return scenario.upstream === 'http2'
        ? 'HTTP/1.1 to the origin, it cannot speak HTTP/2 there'
        : undefined;
    },
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

function isGrpc({ load }: Scenario): boolean {
  return load.kind === 'http2' && load.sends !== 'request';
}

function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

function configuration(setup: SubjectSetup, variant: 'bare' | 'mesh'): string {
  const { scenario, hop, directory, pki } = setup;
  const mesh = variant === 'mesh';
  const list = many(scenario);
  const upstream = (name: string): string =>
    `  upstream ${name} { server 127.0.0.1:${hop.upstreamPort}; keepalive 128; keepalive_requests 100000000; }\n`;
  const byHost = list.filter(({ host }) => host !== undefined);
  const byPath = list.filter(({ path }) => path !== undefined);
  return `daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log warn;
events { worker_connections 8192; }
http {
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  keepalive_requests 100000000;
  keepalive_timeout 3600s;
  map_hash_bucket_size 128;
${
  mesh
    ? `  log_format json escape=json '{"start":"$time_iso8601","method":"$request_method","path":"$request_uri","status":$status,"bytes":$body_bytes_sent,"duration":$request_time,"upstream":"$upstream_addr","peer":"$remote_addr","id":"$http_x_request_id"}';
  access_log ${directory}/access.log json buffer=64k flush=1s;
  map $http_x_forbidden $forbidden { default 1; "" 0; }
`
    : '  access_log off;\n'
}${upstream('origin')}${byHost.map(({ cluster }) => upstream(cluster)).join('')}${
    byHost.length === 0
      ? ''
      : `  map $host $cluster { ${byHost.map(({ host, cluster }) => `${host} ${cluster};`).join(' ')} }\n`
  }  server {
    listen 127.0.0.1:${hop.listenPort}${hop.downstream.tls ? ' ssl' : ''}${hop.downstream.protocol === 'http2' ? ' http2' : ''};
${
  hop.downstream.tls
    ? `    ssl_certificate ${pki.originCertFile};
    ssl_certificate_key ${pki.originKeyFile};
    ssl_client_certificate ${pki.caFile};
    ssl_verify_client on;
    ssl_protocols TLSv1.3;
`
    : ''
}${
    mesh
      ? `    if ($forbidden) { return 403; }
    if ($request_method !~ ^(GET|POST|PUT|DELETE)$) { return 403; }
    if ($uri !~ ^(${ALLOWED_PREFIXES.map((prefix) => prefix.replaceAll('.', '\\.')).join('|')})) { return 403; }
`
      : ''
  }${location('/', byHost.length === 0 ? 'origin' : '$cluster', setup, mesh)}${byPath
    .map(({ path, cluster }) => location(`${path}/`, cluster, setup, mesh))
    .join('')}  }
}
`;
}

function location(prefix: string, to: string, { scenario, hop, pki }: SubjectSetup, mesh: boolean): string {
  const kind = isGrpc(scenario) ? 'grpc' : 'proxy';
  const scheme = `${kind === 'grpc' ? 'grpc' : 'http'}${hop.upstream.tls ? 's' : ''}`;
  const lines = [
    ...(kind === 'grpc'
      ? ['grpc_set_header Host $host;', 'grpc_socket_keepalive on;']
      : ['proxy_http_version 1.1;', 'proxy_set_header Connection "";', 'proxy_set_header Host $host;']),
    ...(mesh
      ? [
          `${kind}_set_header X-Forwarded-Proto http;`,
          `${kind}_next_upstream error timeout;`,
          `${kind}_next_upstream_tries 3;`,
          `${kind}_read_timeout 15s;`,
        ]
      : []),
    ...(hop.upstream.tls
      ? [
          `${kind}_ssl_certificate ${pki.clientCertFile};`,
          `${kind}_ssl_certificate_key ${pki.clientKeyFile};`,
          `${kind}_ssl_trusted_certificate ${pki.caFile};`,
          `${kind}_ssl_verify on;`,
          `${kind}_ssl_name origin.bench;`,
          `${kind}_ssl_protocols TLSv1.3;`,
        ]
      : []),
    `${kind}_pass ${scheme}://${to};`,
  ];
  return `    location ${prefix} {\n${lines.map((line) => `      ${line}\n`).join('')}    }\n`;
}
