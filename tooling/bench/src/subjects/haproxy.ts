import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../find-program.ts';
import { ALLOWED_PREFIXES, many, type Side, type Subject, type SubjectSetup } from './subject.ts';

/** HAProxy, one thread. The mesh variant logs each request, checks ACLs and retries, as a mesh's hop does. */
export function haproxy(variant: 'bare' | 'mesh'): Subject {
  return {
    name: 'haproxy',
    variant,
    on:
      variant === 'bare'
        ? 'one thread, keep-alive both sides'
        : 'bare + JSON access log to a file, ACLs on method, path and header, retries, timeouts, one added header',
    between: 'http2',
    note: ({ many: has }) => (has === undefined ? undefined : 'routes by a map file'),
    missing: () =>
      findProgram('haproxy') === undefined
        ? 'haproxy is not installed (Debian: apt-get install haproxy)'
        : undefined,
    start(setup) {
      const file = join(setup.directory, 'haproxy.cfg');
      writeFileSync(file, configuration(setup, variant));
      const { pid } = setup.spawn(findProgram('haproxy') as string, ['-db', '-f', file]);
      return { pids: () => [pid] };
    },
  };
}

/** `proto h2` in clear text, by ALPN over TLS. */
function speaks({ protocol, tls }: Side): string {
  if (tls) return ` alpn ${protocol === 'http2' ? 'h2' : 'http/1.1'}`;
  return protocol === 'http2' ? ' proto h2' : '';
}

function configuration({ scenario, hop, pki, directory }: SubjectSetup, variant: 'bare' | 'mesh'): string {
  const mesh = variant === 'mesh';
  const server =
    `server origin 127.0.0.1:${hop.upstreamPort}${speaks(hop.upstream)}` +
    (hop.upstream.tls
      ? ` ssl verify required ca-file ${pki.caFile} crt ${pki.clientBundleFile} ssl-min-ver TLSv1.3 sni str(origin.bench)`
      : '');
  const bind =
    `bind 127.0.0.1:${hop.listenPort}${speaks(hop.downstream)}` +
    (hop.downstream.tls
      ? ` ssl crt ${pki.originBundleFile} ca-file ${pki.caFile} verify required ssl-min-ver TLSv1.3`
      : '');
  return `global
  nbthread 1
  maxconn 8192
${mesh ? '  log stdout format raw local0\n' : ''}defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 15s
  option http-keep-alive
  http-reuse always
${
  mesh
    ? `  log global
  log-format '{"start":"%tr","method":"%HM","path":"%HPO","status":%ST,"flags":"%tsc","bytes":%B,"duration":%Ta,"upstream":"%si:%sp","peer":"%ci","id":"%[capture.req.hdr(0)]"}'
  retries 2
  retry-on conn-failure empty-response
`
    : ''
}frontend in
  ${bind}
${
  mesh
    ? `  capture request header x-request-id len 40
  acl allowed_method method GET POST PUT DELETE
  acl allowed_path path_beg ${ALLOWED_PREFIXES.join(' ')}
  acl denied_header req.hdr(x-forbidden) -m found
  http-request deny deny_status 403 if denied_header
  http-request deny deny_status 403 unless allowed_method allowed_path
  http-request set-header x-forwarded-proto http
`
    : ''
}${backends(scenario, server, directory)}`;
}

function backends(scenario: SubjectSetup['scenario'], server: string, directory: string): string {
  const list = many(scenario);
  const one = `  default_backend out\nbackend out\n  ${server}\n`;
  if (list.length === 0) return one;
  const file = join(directory, 'routes.map');
  writeFileSync(
    file,
    list
      .map(({ path, host, cluster }) => `${path ?? host} ${path === undefined ? cluster : 'out'}\n`)
      .join(''),
  );
  const by = list[0]?.path === undefined ? `req.hdr(host),lower,map_str` : `path,map_beg`;
  const clusters = list.map(({ host, cluster }) =>
    host === undefined ? '' : `backend ${cluster}\n  ${server}\n`,
  );
  return `  use_backend %[${by}(${file},out)]\n${one}${clusters.join('')}`;
}
