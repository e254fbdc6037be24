import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../find-program.ts';
import type { Subject, SubjectSetup } from './subject.ts';

/** HAProxy, one thread. The mesh variant logs each request, checks ACLs and retries, as a mesh's hop does. */
export function haproxy(variant: 'bare' | 'mesh'): Subject {
  return {
    name: 'haproxy',
    variant,
    on:
      variant === 'bare'
        ? 'one thread, keep-alive both sides'
        : 'bare + JSON access log to a file, ACLs on method, path and header, retries, timeouts, one added header',
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

function configuration(
  { scenario, originPort, listenPort, pki }: SubjectSetup,
  variant: 'bare' | 'mesh',
): string {
  const mesh = variant === 'mesh';
  const server = scenario.upstreamTls
    ? `server origin 127.0.0.1:${originPort} ssl verify required ca-file ${pki.caFile} crt ${pki.clientBundleFile} ssl-min-ver TLSv1.3`
    : `server origin 127.0.0.1:${originPort}`;
  return `global
  nbthread 1
  maxconn 4096
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
  bind 127.0.0.1:${listenPort}
${
  mesh
    ? `  capture request header x-request-id len 40
  acl allowed_method method GET POST PUT DELETE
  acl allowed_path path_beg /items /orders /reviews
  acl denied_header req.hdr(x-forbidden) -m found
  http-request deny deny_status 403 if denied_header
  http-request deny deny_status 403 unless allowed_method allowed_path
  http-request set-header x-forwarded-proto http
`
    : ''
}  default_backend out
backend out
  ${server}
`;
}
