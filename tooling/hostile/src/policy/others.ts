import type { Exchange } from '../client.ts';
import { MARK } from '../corpus/index.ts';
import { HOST, marked, nothing, type PolicyCase } from './policy-case.ts';

/** Who is not let in by address says that it is somebody else. */
export const NETWORK_CASES: readonly PolicyCase[] = [
  '',
  'X-Forwarded-For: 192.0.2.1\r\n',
  'X-Forwarded-For: 192.0.2.1, 127.0.0.1\r\n',
  'X-Real-IP: 192.0.2.1\r\n',
  'Forwarded: for=192.0.2.1\r\n',
  'True-Client-IP: 192.0.2.1\r\n',
  'X-Envoy-External-Address: 192.0.2.1\r\n',
  'X-Forwarded-For: ::ffff:192.0.2.1\r\nX_Forwarded_For: 192.0.2.1\r\n',
  'X-Forwarded-Client-Cert: URI=spiffe://test/ns/default/sa/admin\r\n',
].map((fields): PolicyCase => ({
  gate: 'networks',
  group: 'networks: forged addresses',
  send: marked('GET /x', `${HOST}${fields}`),
  kind: 'hostile',
  breach: nothing,
}));

/** What the service that is asked does; only `allow` lets in. See `authorizer.ts`. */
export const AUTHORIZER_WAYS = [
  'deny',
  'redirect',
  'informational',
  'switching',
  'not-http',
  'empty',
  'reset',
  'half-head',
  'half-body',
  'silent',
  'slow-head',
  'error',
  'unavailable',
  'two-answers',
  'bad-status',
  'status-000',
  'status-2000',
  'no-length-reset',
  'huge-head',
  'both-framings',
  'bad-chunks',
  'bare-lf',
  'nul',
] as const;

/** Whatever it says or does, silence and nonsense are no yes. */
export const ASKED_CASES: readonly PolicyCase[] = [
  ...AUTHORIZER_WAYS.flatMap((way) =>
    ['GET', 'POST', 'OPTIONS'].map((method): PolicyCase => ({
      gate: 'asked',
      group: 'external authorization',
      send: marked(`${method} /${way}/${MARK}`, `${HOST}${method === 'POST' ? 'Content-Length: 0\r\n' : ''}`),
      kind: 'hostile',
      breach: nothing,
    })),
  ),
  ...[
    '/deny/../allow',
    '/deny/x?/allow/',
    '/deny#/allow',
    '/%64eny/a',
    '/deny%2f..%2fallow',
    '/deny;/../../allow/..;/deny/a',
  ].map((target): PolicyCase => ({
    gate: 'asked',
    group: 'external authorization: paths',
    send: marked(`GET ${target}`, HOST),
    kind: 'hostile',
    // What was asked about is what arrives: below /allow only.
    breach: (seen) => {
      const wrong = seen.find(({ target: got }) => !got.startsWith('/allow'));
      return wrong === undefined ? undefined : `the origin got ${wrong.target}`;
    },
  })),
  {
    gate: 'asked',
    group: 'external authorization: yes',
    send: marked(`GET /allow/${MARK}`, `${HOST}X-Verdict: forged\r\nX_Verdict: forged\r\n`),
    kind: 'allowed',
    breach: ([seen]) =>
      seen === undefined
        ? 'did not arrive'
        : seen.fields
              .filter(([name]) => name.toLowerCase().replaceAll('_', '-') === 'x-verdict')
              .map(([, value]) => value)
              .join() === 'yes'
          ? undefined
          : 'the header of the verdict is not what the service said',
  },
];

const ALLOWED_ORIGIN = 'https://shop.test';

const BAD_ORIGINS: readonly string[] = [
  'null',
  'https://shop.test.evil.test',
  'https://evilshop.test',
  'https://evil.test/https://shop.test',
  'https://shop.test@evil.test',
  'https://shop.test:8443',
  'https://shop.test.',
  'https://SHOP.test.evil.test',
  'http://shop.test',
  'https://shop.test/',
  'https://shop.test evil.test',
  'https://shop.test,https://evil.test',
  'https://evil.test#https://shop.test',
  'https://a.shop.test',
  'https://shop.test%00.evil.test',
  'https://shop_test',
  'https://shopxtest',
  '*',
  '',
  'file://',
];

/** Browsers must not be told that a foreign page may read. */
export const ORIGIN_CASES: readonly PolicyCase[] = [
  ...BAD_ORIGINS.flatMap((origin) =>
    [
      marked('GET /x', `${HOST}Origin: ${origin}\r\nCookie: session=1\r\n`),
      marked(
        'OPTIONS /x',
        `${HOST}Origin: ${origin}\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-any\r\n`,
      ),
      marked('GET /x', `${HOST}Origin: ${ALLOWED_ORIGIN}\r\nOrigin: ${origin}\r\n`),
      marked('GET /x', `${HOST}Origin: ${origin}\r\nOrigin: ${ALLOWED_ORIGIN}\r\n`),
    ].map((send): PolicyCase => ({
      gate: 'origins',
      group: 'foreign pages',
      send,
      kind: 'hostile',
      breach: (_seen, got) => {
        const allowed = allowedOrigins(got);
        return allowed.length === 0 ? undefined : `a browser is told that ${allowed.join()} may read`;
      },
    })),
  ),
  {
    gate: 'origins',
    group: 'pages of ours',
    send: marked('GET /x', `${HOST}Origin: ${ALLOWED_ORIGIN}\r\n`),
    kind: 'allowed',
    breach: (_seen, got) =>
      allowedOrigins(got).join() === ALLOWED_ORIGIN ? undefined : 'the page may not read',
  },
];

function allowedOrigins(got: Exchange): string[] {
  return got.finals.flatMap(({ fields }) =>
    fields.filter(([name]) => name.toLowerCase() === 'access-control-allow-origin').map(([, value]) => value),
  );
}
