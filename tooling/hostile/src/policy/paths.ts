import type { SeenRequest } from '../recording-origin.ts';
import { HOST, marked, type PolicyCase } from './policy-case.ts';
import { mayRead, readingsOf } from './readings.ts';

/** Spellings of `/admin/keys`, or of ways to it, and what they play on. */
const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  'as it is': ['/admin', '/admin/', '/admin/keys', '/admin?x=1', '/admin/keys?x=/public/'],
  slashes: [
    '//admin',
    '///admin//keys',
    '/./admin',
    '/public//../admin',
    '/admin//',
    '//public/..//admin/keys',
  ],
  'dot segments': [
    '/public/../admin',
    '/public/./../admin/keys',
    '/public/x/../../admin',
    '/../admin',
    '/../../admin/keys',
    '/public/..;/admin',
    '/public/.;x/../admin',
    '/public/...//../../admin',
    '/public/..;x=1/admin/keys',
    '/public/%2e%2e;/admin',
  ],
  escapes: [
    '/%61dmin',
    '/%61%64%6d%69%6e',
    '/ad%6Din/keys',
    '/%41DMIN',
    '/admi%6e/',
    '/public/%2e%2e/admin',
    '/public/%2E%2E/admin/keys',
    '/public/.%2e/admin',
    '/public/%2e./admin',
    '/%2e/admin',
    '/%2fadmin',
    '/public%2f..%2fadmin',
    '/public/..%2Fadmin/keys',
    '/public%2f%2e%2e%2fadmin',
    '/admin%2fkeys',
    '/admin%2Fkeys',
    '/admin%2f',
    '/%5cadmin',
    '/public/..%5cadmin',
    '/public%5c..%5cadmin',
    '/admin%5Ckeys',
  ],
  'escaped twice': [
    '/%2561dmin',
    '/public/%252e%252e/admin',
    '/public/..%252fadmin',
    '/public/%25252e%25252e/admin',
    '/%25%36%31dmin',
    '/public%252f%252e%252e%252fadmin/keys',
    '/admin%252fkeys',
  ],
  'broken escapes': [
    '/%u0061dmin',
    '/public/%u002e%u002e/admin',
    '/%6',
    '/%',
    '/%zz/../admin',
    '/admin%',
    '/admin%2',
  ],
  'overlong UTF-8': [
    '/%c1%a1dmin',
    '/public/%c0%ae%c0%ae/admin',
    '/public/..%c0%afadmin',
    '/public/%e0%80%ae%e0%80%ae/admin',
    '/public%c0%af..%c0%afadmin',
    '/public/%c0%2e%c0%2e/admin',
    '/public/..%c1%9cadmin',
  ],
  'raw octets': [
    '/public/..\xc0\xafadmin',
    '/\xc1\xa1dmin',
    '/admin\x80',
    '/\xe1dmin/../admin',
    '/admin\xff/keys',
  ],
  backslashes: [
    '\\admin',
    '/\\admin',
    '/public\\..\\admin',
    '/public/..\\admin',
    '/admin\\keys',
    '\\\\admin',
  ],
  parameters: [
    '/admin;x=1',
    '/admin;/keys',
    '/admin;x/keys;y',
    '/;x/admin',
    '/;/admin/keys',
    '/admin%3bx',
    '/admin%3Bx=1/keys',
    '/public;/../admin',
    '/public;a=b/..;c/admin',
    '/admin;..;/keys',
    '/admin,x/../admin;x',
  ],
  case: ['/ADMIN', '/Admin/keys', '/aDmIn', '/ADMIN/KEYS', '/Admin;X'],
  fragments: ['/admin#x', '/public#/../admin', '/admin%23x', '/admin%23/keys', '/#/../admin'],
  'cut short': [
    '/admin%00',
    '/admin%00.html',
    '/admin%00/../public',
    '/admin\x00',
    '/admin%0a',
    '/admin%0d%0aX-Role:%20admin',
    '/admin%09',
    '/admin%20',
    '/admin.',
    '/admin./keys',
    '/admin%2e',
    '/admin%3f',
    '/admin%3fx=1',
    '/admin%7f',
  ],
  'absolute form': [
    'http://origin.test/admin',
    'http://origin.test/public/../admin',
    'HTTP://ORIGIN.TEST/%61dmin/keys',
    'http://origin.test//admin',
    'http://origin.test/public/..;/admin',
    'https://origin.test/admin',
    'http:/admin',
    'http:///admin',
    'http:admin',
    'ftp://origin.test/admin',
    'origin.test/admin',
    '//origin.test/admin',
    '//origin.test/../admin',
  ],
  'other forms': ['*', '*/admin', 'admin', '.', './admin', '../admin', '?/admin', '~/admin', '/admin http'],
};

const METHODS = ['GET', 'POST', 'OPTIONS', 'HEAD', 'DELETE'] as const;

/** A path that is denied must be denied however it is spelled; one that is not allowed must not be spelled in. */
export const PATH_CASES: readonly PolicyCase[] = [
  ...Object.entries(SPELLINGS).flatMap(([name, targets]) =>
    targets.flatMap((target, index): PolicyCase[] =>
      [METHODS[0], METHODS[1 + (index % 4)] as string].flatMap((method): PolicyCase[] => {
        const send = marked(
          `${method} ${target}`,
          `${HOST}${method === 'POST' ? 'Content-Length: 0\r\n' : ''}`,
        );
        return [
          { gate: 'paths', group: `path denied: ${name}`, send, kind: 'hostile', breach: reads('/admin') },
          {
            gate: 'paths-allow',
            group: `path not allowed: ${name}`,
            send,
            kind: 'hostile',
            breach: leaves('/public'),
          },
        ];
      }),
    ),
  ),
  ...[
    '/',
    '/public',
    '/public/a',
    '/administrator',
    '/x/admin',
    '/public/a%20b',
    '/public/%E2%82%AC?admin',
    '/public/a.b',
  ].map((target): PolicyCase => ({
    gate: 'paths',
    group: 'path: others',
    send: marked(`GET ${target}`, HOST),
    kind: 'allowed',
    breach: (seen) =>
      seen[0]?.target === target ? undefined : `the origin got ${seen[0]?.target ?? 'nothing'} for ${target}`,
  })),
  ...['/public/a', '/public/a/b?c=d', '/public/x.html'].map((target): PolicyCase => ({
    gate: 'paths-allow',
    group: 'path: allowed',
    send: marked(`GET ${target}`, HOST),
    kind: 'allowed',
    breach: () => undefined,
  })),
];

function reads(path: string): PolicyCase['breach'] {
  return first(({ target }) =>
    mayRead(target, path) ? `an origin may read ${target} as ${path}` : undefined,
  );
}

function leaves(path: string): PolicyCase['breach'] {
  return first(({ target }) => {
    const out = [...readingsOf(target)].find(
      (reading) => reading !== path && !reading.startsWith(`${path}/`),
    );
    return out === undefined ? undefined : `an origin may read ${target} as ${out}`;
  });
}

function first(fault: (request: SeenRequest) => string | undefined): PolicyCase['breach'] {
  return (seen) => seen.map(fault).find((what) => what !== undefined);
}
