import type { SeenRequest } from '../recording-origin.ts';
import { marked, type PolicyCase } from './policy-case.ts';
import { hostReadings } from './readings.ts';

const PUBLIC = 'public.test';
const DENIED = 'admin.test';

/** Host lines (each a whole set) that mean the denied host to somebody. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  'as it is': [DENIED, 'ADMIN.TEST', 'Admin.Test', 'aDMIN.tEST'],
  ports: [
    `${DENIED}:80`,
    `${DENIED}:8080`,
    `${DENIED}:`,
    `${DENIED}:00080`,
    `${DENIED}:65536`,
    `${DENIED}:80:80`,
    `${DENIED}: 80`,
    `${DENIED}:x`,
  ],
  dots: [
    `${DENIED}.`,
    `${DENIED}..`,
    `ADMIN.TEST.`,
    `${DENIED}.:80`,
    `.${DENIED}`,
    'admin..test',
    `${DENIED}%2e`,
  ],
  userinfo: [
    `${PUBLIC}@${DENIED}`,
    `${DENIED}@${PUBLIC}`,
    `x:y@${DENIED}`,
    `${PUBLIC}:80@${DENIED}`,
    `${DENIED}:80@${PUBLIC}`,
    `@${DENIED}`,
  ],
  blanks: [` ${DENIED}`, `${DENIED} `, `${DENIED}\t`, `${PUBLIC} ${DENIED}`, `${DENIED} ${PUBLIC}`],
  lists: [`${PUBLIC},${DENIED}`, `${DENIED},${PUBLIC}`, `${DENIED}, ${PUBLIC}`, `${PUBLIC};${DENIED}`],
  paths: [
    `${DENIED}/`,
    `${DENIED}/${PUBLIC}`,
    `${PUBLIC}/../${DENIED}`,
    `${DENIED}?${PUBLIC}`,
    `${DENIED}#${PUBLIC}`,
    `${DENIED}\\${PUBLIC}`,
    `http://${DENIED}`,
  ],
  escapes: [
    '%61dmin.test',
    'admin%2etest',
    `${DENIED}%00`,
    `${DENIED}%00${PUBLIC}`,
    `${DENIED}%20`,
    `${DENIED}\x00`,
    'adm\xc4\xb1n.test',
    '\xef\xbd\x81dmin.test',
  ],
  addresses: [
    '[::1%25admin.test]',
    `[${DENIED}]`,
    `[::ffff:127.0.0.1]@${DENIED}`,
    `[::1]${DENIED}`,
    `[::1]:80${DENIED}`,
  ],
};

/** Requests that name two hosts, or none. */
const CONTRADICTIONS: readonly string[] = [
  marked('GET /x', `Host: ${PUBLIC}\r\nHost: ${DENIED}\r\n`),
  marked('GET /x', `Host: ${DENIED}\r\nHost: ${PUBLIC}\r\n`),
  marked('GET /x', `Host: ${DENIED}\r\nX-A: b\r\nhost: ${DENIED}\r\n`),
  marked('GET /x', `Host: ${PUBLIC}\r\n Host: ${DENIED}\r\n`),
  marked('GET /x', `Host : ${DENIED}\r\n`),
  marked('GET /x', `Host: ${PUBLIC}\r\nHost : ${DENIED}\r\n`),
  marked('GET /x', `H\xf6st: ${DENIED}\r\nHost: ${PUBLIC}\r\nHost:\r\n`),
  marked('GET /x', `Host:\r\n`),
  marked('GET /x', ''),
  marked(`GET http://${DENIED}/x`, `Host: ${PUBLIC}\r\n`),
  marked(`GET http://${PUBLIC}/x`, `Host: ${DENIED}\r\n`),
  marked(`GET http://${DENIED}/x`, `Host: ${DENIED}\r\n`),
  marked(`GET http://${DENIED}:80/x`, `Host: ${DENIED}\r\n`),
  marked(`GET http://${PUBLIC}@${DENIED}/x`, `Host: ${PUBLIC}\r\n`),
  marked(`GET http://${DENIED}@${PUBLIC}/x`, `Host: ${PUBLIC}\r\n`),
  marked(`GET http://${DENIED}.:80/x`, `Host: ${PUBLIC}\r\n`),
  marked(`GET //${DENIED}/x`, `Host: ${PUBLIC}\r\nX-Forwarded-Host: ${DENIED}\r\n`),
  marked(`GET @${DENIED}/x`, `Host: ${PUBLIC}\r\n`),
  marked(`GET /x`, `Host: ${PUBLIC}\r\nX-Forwarded-Host: ${DENIED}\r\n`),
  marked(
    `GET /x`,
    `Host: ${PUBLIC}\r\nX-Host: ${DENIED}\r\nForwarded: host=${DENIED}\r\nX-Original-Host: ${DENIED}\r\n`,
  ),
  marked(`GET /x`, `Host: ${PUBLIC}\r\nX_Forwarded_Host: ${DENIED}\r\n`),
  marked(`CONNECT ${DENIED}:80`, `Host: ${DENIED}:80\r\n`),
  marked(`CONNECT ${PUBLIC}:80`, `Host: ${DENIED}:80\r\n`),
];

/** One canonical host decides, and the origin gets that one. */
export const HOST_CASES: readonly PolicyCase[] = [
  ...Object.entries(LINES).flatMap(([name, hosts]) =>
    hosts.map((host): PolicyCase => ({
      gate: 'hosts',
      group: `host denied: ${name}`,
      send: marked('GET /x', `Host: ${host}\r\n`),
      kind: 'hostile',
      breach: namesDenied,
    })),
  ),
  ...CONTRADICTIONS.map((send): PolicyCase => ({
    gate: 'hosts',
    group: 'host denied: two of them',
    send,
    kind: 'hostile',
    breach: namesDenied,
  })),
  ...[
    PUBLIC,
    'PUBLIC.TEST',
    `${PUBLIC}:8080`,
    `${PUBLIC}.`,
    'administrator.test',
    'admin.test.example',
    '127.0.0.1',
    '[::1]:80',
  ].map((host): PolicyCase => ({
    gate: 'hosts',
    group: 'host: others',
    send: marked('GET /x', `Host: ${host}\r\n`),
    kind: 'allowed',
    breach: (seen) => (seen[0] === undefined ? 'did not arrive' : namesDenied(seen)),
  })),
];

/** Names under which frameworks read a host, beside Host itself. */
const HOST_FIELDS = /^(?:host|x[-_]forwarded[-_]host|x[-_]host|x[-_]original[-_]host|forwarded)$/;

function namesDenied(seen: readonly SeenRequest[]): string | undefined {
  for (const { target, fields, startLine } of seen) {
    const hosts = fields.filter(([name]) => name.toLowerCase() === 'host');
    if (hosts.length !== 1) return `the origin got ${hosts.length} Host lines: ${startLine}`;
    const authority = /^[a-z]+:\/\/([^/?#]*)/i.exec(target)?.[1];
    const claims = fields
      .filter(([name]) => HOST_FIELDS.test(name.toLowerCase()))
      .map(([, value]) => value.replace(/^host=/, ''));
    for (const claim of authority === undefined ? claims : [...claims, authority])
      if (hostReadings(claim).has(DENIED)) return `an origin may take ${JSON.stringify(claim)} for ${DENIED}`;
  }
  return undefined;
}
