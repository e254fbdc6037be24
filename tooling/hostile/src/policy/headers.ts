import type { SeenRequest } from '../recording-origin.ts';
import { HOST, marked, nothing, valuesOf, type PolicyCase } from './policy-case.ts';

/** What a caller pretends; it must not arrive under any name by which origins tell who called. */
const FORGED = 'forged.evil.example';

const CLAIMING = [
  'Forwarded',
  'X-Forwarded-For',
  'X-Forwarded-Proto',
  'X-Forwarded-Host',
  'X-Forwarded-Port',
  'X-Forwarded-Client-Cert',
  'X-Forwarded-User',
  'X-Forwarded-Prefix',
  'X-Forwarded',
  'X-Real-IP',
  'X-Client-IP',
  'X-Cluster-Client-IP',
  'True-Client-IP',
  'X-Original-Forwarded-For',
  'X-Original-URL',
  'X-Original-Host',
  'X-Rewrite-URL',
  'X-Envoy-External-Address',
  'X-Envoy-Original-Path',
  'X-Envoy-Internal',
  'X-Tulle-Anything',
] as const;

const spellings = (name: string): string[] => [
  name,
  name.toLowerCase(),
  name.toUpperCase(),
  name.replaceAll('-', '_'),
  name.replace('-', '_'),
];

/** Claims about the caller, in every spelling and place. */
const EDGE: readonly PolicyCase[] = [
  ...CLAIMING.flatMap((name) =>
    spellings(name).flatMap((spelled) => [
      edge('claims', marked('GET /x', `${HOST}${spelled}: ${FORGED}\r\n`)),
      edge('claims twice', marked('GET /x', `${HOST}${spelled}: a\r\nX-A: b\r\n${spelled}:${FORGED}\r\n`)),
      edge(
        'claims in trailers',
        marked(
          'POST /x',
          `${HOST}TE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: ${spelled}\r\n`,
          `1\r\na\r\n0\r\n${spelled}: ${FORGED}\r\n\r\n`,
        ),
      ),
    ]),
  ),
  ...['X-User', 'X_User', 'x-user', 'X-GATE', 'x_gate'].map((name) =>
    edge('fields of the proxy', marked('GET /x', `${HOST}${name}: ${FORGED}\r\n`)),
  ),
];

/** What the edge sets itself, and a client names in Connection so that it goes. */
const NOMINATED: readonly PolicyCase[] = [
  'X-Gate',
  'x-gate, X-Forwarded-For',
  'close, x-gate',
  'X-Forwarded-For, X-Forwarded-Proto, X-Request-Id',
  'keep-alive, X-Gate, Host',
  'Host',
  'Content-Length, x-gate',
].flatMap((names) =>
  [
    `Connection: ${names}\r\n`,
    `Connection: x-a\r\nConnection: ${names}\r\n`,
    `Proxy-Connection: ${names}\r\nConnection: ${names}\r\n`,
  ].map((fields): PolicyCase => ({
    gate: 'edge',
    group: 'headers: named in Connection',
    send: marked('GET /x', `${HOST}${fields}`),
    kind: 'hostile',
    breach: (seen) => seen.map(lacksOwn).find((what) => what !== undefined),
  })),
);

/** A field that decides, in lines that a policy may read otherwise than the origin does. */
const ROLES: readonly PolicyCase[] = [
  'X-Role: admin\r\n',
  'x-role: admin\r\n',
  'X-ROLE:admin\r\n',
  'X-Role: \t admin \t\r\n',
  'X-Role: user\r\nX-Role: admin\r\n',
  'X-Role: admin\r\nX-Role: user\r\n',
  'X-Role: user\r\nX-A: b\r\nX-Role: admin\r\nX-Role: user\r\n',
  'X-Role: user\r\n admin\r\n',
  'X-Role:\r\n admin\r\n',
  'X-Role : admin\r\n',
  'X-Role\t: admin\r\n',
  ' X-Role: admin\r\n',
  'X-Role: admin\x00\r\n',
  'X-Role: \x00admin\r\n',
  'X-Role: ad\x00min\r\n',
  'X-Role\x00: admin\r\n',
  'X-Role: user\rX-Role: admin\r\n',
  'X-Role: user\nX-Role: admin\r\n',
  'X-Role: user\r\nX-Role: admin\n',
  'X-Role: user\x0bX-Role: admin\r\n',
  'X-Role: Admin\r\n',
  'X-Role: ADMIN\r\n',
].map((fields): PolicyCase => ({
  gate: 'roles',
  group: 'headers: lines that decide',
  send: marked('GET /x', `${HOST}${fields}`),
  kind: 'hostile',
  breach: (seen) =>
    seen
      .flatMap((request) => valuesOf(request, (name) => name === 'x-role'))
      .filter((value) => value.trim().toLowerCase() === 'admin')
      .map((value) => `the origin got x-role ${JSON.stringify(value)}`)[0],
}));

/** Trailers must not become what the head was judged without. */
const TRAILERS: readonly PolicyCase[] = [
  'X-Role',
  'Authorization',
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Cookie',
].map((name): PolicyCase => ({
  gate: 'roles',
  group: 'headers: decided by trailers',
  send: marked(
    'POST /x',
    `${HOST}Transfer-Encoding: chunked\r\nTrailer: ${name}\r\n`,
    `1\r\na\r\n0\r\n${name}: admin\r\n\r\n`,
  ),
  kind: 'hostile',
  breach: (seen) =>
    seen.some(({ fields, trailers }) =>
      name === 'X-Role'
        ? fields.some(([field]) => field.toLowerCase() === 'x-role')
        : trailers.some(([field]) => field.toLowerCase() === name.toLowerCase()),
    )
      ? `${name} of the trailers arrived`
      : undefined,
}));

/** Claims of the caller are gone; policy sees what the origin sees. */
export const HEADER_CASES: readonly PolicyCase[] = [
  ...EDGE,
  ...NOMINATED,
  ...ROLES,
  ...TRAILERS,
  {
    gate: 'edge',
    group: 'headers: others',
    send: marked('GET /x', `${HOST}X-Anything: kept\r\nConnection: x-hop\r\nX-Hop: gone\r\n`),
    kind: 'allowed',
    breach: ([request]) =>
      request === undefined
        ? 'did not arrive'
        : (lacksOwn(request) ??
          (valuesOf(request, (name) => name === 'x-hop').length > 0
            ? 'a field of the connection was passed on'
            : valuesOf(request, (name) => name === 'x-anything')[0] === 'kept'
              ? undefined
              : 'X-Anything is gone')),
  },
  {
    gate: 'roles',
    group: 'headers: others',
    send: marked('GET /x', `${HOST}X-Role: user\r\nX-Role: administrator\r\n`),
    kind: 'allowed',
    breach: (seen) => (nothing(seen, NO_ANSWER) === undefined ? 'did not arrive' : undefined),
  },
];

const NO_ANSWER = { interim: [], finals: [], invalid: undefined, rest: '', closed: false, quiet: false };

function edge(group: string, send: string): PolicyCase {
  return {
    gate: 'edge',
    group: `headers: ${group}`,
    send,
    kind: 'hostile',
    breach: (seen) =>
      seen
        .flatMap((request) => valuesOf(request, () => true))
        .filter((value) => value.includes(FORGED))
        .map((value) => `a forged value arrived: ${value}`)[0] ??
      seen.map(lacksOwn).find((what) => what !== undefined),
  };
}

/** The fields that the edge sets: each once, with its own value. */
function lacksOwn(request: SeenRequest): string | undefined {
  const lines = (wanted: string): string[] =>
    valuesOf(request, (name) => name.replaceAll('_', '-') === wanted);
  if (lines('x-gate').join() !== 'passed') return `x-gate is ${JSON.stringify(lines('x-gate').join())}`;
  if (lines('x-forwarded-for').join() !== '127.0.0.1')
    return `x-forwarded-for is ${JSON.stringify(lines('x-forwarded-for').join())}`;
  if (lines('x-forwarded-proto').join() !== 'http') return 'x-forwarded-proto is not the connection’s';
  if (lines('x-request-id').length !== 1) return `${lines('x-request-id').length} request ids`;
  return lines('host').length === 1 ? undefined : `${lines('host').length} Host lines`;
}
