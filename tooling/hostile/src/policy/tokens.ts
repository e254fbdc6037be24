import { generateKeyPairSync } from 'node:crypto';
import { HOST, marked, nothing, valuesOf, type PolicyCase } from './policy-case.ts';
import { AUDIENCE, base64url, goodClaims, ISSUER, signed, type Issuer } from './token-maker.ts';

const bearer = (token: string, path = '/x'): string =>
  marked(`GET ${path}`, `${HOST}Authorization: Bearer ${token}\r\n`);
const part = (value: unknown): string => base64url(Buffer.from(JSON.stringify(value)));

/** Requests that show no token that is good, or show it in a way that two readers take differently. */
export function tokenCases(issuer: Issuer): readonly PolicyCase[] {
  const good = issuer.token();
  const [header = '', payload = '', signature = ''] = good.split('.');
  const mallory = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const malloryJwk = mallory.publicKey.export({ format: 'jwk' });
  const publicPem = issuer.rsa.public.export({ type: 'spki', format: 'pem' }) as string;
  const publicDer = issuer.rsa.public.export({ type: 'spki', format: 'der' }).toString('latin1');
  const now = Math.floor(Date.now() / 1000);
  const byMallory = (extra: object): string => issuer.token({}, extra, mallory.privateKey);
  const withHeader = (text: string): string =>
    signed(text, JSON.stringify(goodClaims()), issuer.rsa.private, 'RS256');
  const withPayload = (text: string): string =>
    signed('{"alg":"RS256","kid":"r1"}', text, issuer.rsa.private, 'RS256');
  const claimsText = JSON.stringify(goodClaims()).slice(1, -1);

  const lists: Readonly<Record<string, readonly string[]>> = {
    'no algorithm': [
      ...['none', 'None', 'NONE', 'nOnE', '', ' none', 'none\u0000', null, 0, ['RS256'], undefined].flatMap(
        (alg) => {
          const start = `${part({ alg, typ: 'JWT' })}.${payload}`;
          return [`${start}.`, start, `${start}.${signature}`, `${start}.AA`];
        },
      ),
    ],
    'wrong algorithm': [
      ...['HS256', 'HS384', 'HS512'].flatMap((alg) =>
        [
          publicPem,
          publicPem.trim(),
          publicDer,
          JSON.stringify(issuer.jwks[0]),
          '',
          issuer.jwks[0]?.['n'] as string,
        ].map((secret) =>
          signed(JSON.stringify({ alg, kid: 'r1' }), JSON.stringify(goodClaims()), secret, alg),
        ),
      ),
      issuer.token({}, { alg: 'ES256', kid: 'r1' }, issuer.ec.private),
      issuer.token({}, { alg: 'RS256', kid: 'e1' }),
      issuer.token({}, { alg: 'ES256', kid: 'e1' }).replace(/[^.]+$/, signature),
      issuer.token({}, { alg: 'PS256' }),
      issuer.token({}, { alg: 'RS512' }),
      issuer.token({}, { alg: 'rs256' }),
      issuer.token({}, { alg: 'RS256 ' }),
      issuer.token({}, { alg: 'ES256K', kid: 'e1' }, issuer.ec.private),
      `${part({ alg: 'ES256', kid: 'e1' })}.${payload}.${Buffer.alloc(64).toString('base64url')}`,
      `${part({ alg: 'ES256', kid: 'e1' })}.${payload}.${Buffer.alloc(0).toString('base64url')}`,
    ],
    'a key of its own': [
      byMallory({ jwk: malloryJwk }),
      byMallory({ jwk: malloryJwk, kid: undefined }),
      issuer.token({}, { jwk: malloryJwk }),
      ...['http://127.0.0.1:9/jwks', 'https://evil.test/jwks', 'file:///etc/passwd', ISSUER].flatMap(
        (jku) => [byMallory({ jku }), byMallory({ x5u: jku })],
      ),
      byMallory({ x5c: ['MIIB'] }),
      issuer.token({}, { x5c: [] }),
      issuer.token({}, { jku: null }),
    ],
    'key ids': [
      ...[
        'r2',
        '',
        '../r1',
        'r1\u0000',
        'R1',
        'e1',
        "r1' OR '1'='1",
        '/dev/null',
        'r1,e1',
        '__proto__',
        'constructor',
        '*',
      ].map((kid) => byMallory({ kid })),
      byMallory({ kid: undefined }),
      issuer.token({}, { kid: 1 }),
      issuer.token({}, { kid: ['r1'] }),
      issuer.token({}, { kid: { toString: 'r1' } }),
      issuer.token({}, { kid: null }),
      issuer.token({}, { kid: 'r'.repeat(5000) }),
    ],
    extensions: [
      issuer.token({}, { crit: ['exp'] }),
      issuer.token({}, { crit: [] }),
      issuer.token({}, { crit: ['b64'], b64: false }),
      issuer.token({}, { b64: false }),
      issuer.token({}, { zip: 'DEF' }),
      issuer.token({}, { enc: 'A256GCM', alg: 'RSA-OAEP' }),
    ],
    form: [
      '',
      '.',
      '..',
      '...',
      header,
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `.${payload}.${signature}`,
      `${header}..${signature}`,
      `${good}.`,
      `.${good}`,
      `${good}.${signature}`,
      `${good}.${payload}.${signature}`,
      `${good}=`,
      `${good}==`,
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}=.${signature}`,
      good.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) ^ 1)),
      good.slice(0, -1),
      `${good}A`,
      good.replaceAll('_', '/').replaceAll('-', '+').concat('+'),
      `${header}.${payload} .${signature}`,
      `${header}.${payload}%2e${signature}`,
      `${header}\u00b7${payload}.${signature}`,
      `{"payload":"${payload}","signatures":[{"protected":"${header}","signature":"${signature}"}]}`,
      JSON.stringify({ protected: header, payload, signature }),
      good.toUpperCase(),
      `${good},${good}`,
      `${good} ${good}`,
      `"${good}"`,
      'A'.repeat(8_000),
      `${header}.${'A'.repeat(12_000)}.${signature}`,
      '.'.repeat(500),
    ],
    'not the same to all': [
      withHeader('{"alg":"none","alg":"RS256","kid":"r1"}'),
      withHeader('{"alg":"RS256","alg":"none","kid":"r1"}'),
      withHeader('{"alg":"RS256","kid":"r1","kid":"e1"}'),
      withHeader('{"alg":"RS256","\\u0061lg":"none","kid":"r1"}'),
      withHeader('\ufeff{"alg":"RS256","kid":"r1"}'),
      withHeader('{"alg":"RS256","kid":"r1"} x'),
      withHeader('["RS256"]'),
      withHeader('"RS256"'),
      withHeader('null'),
      withPayload(`{${claimsText},"role":"admin"}`),
      withPayload(`{"role":"admin",${claimsText}}`),
      withPayload(`{${claimsText},"\\u0072ole":"admin"}`),
      withPayload(`{${claimsText},"exp":99999999999}`),
      withPayload(`{${claimsText},"x":{"a":1,"a":2}}`),
      withPayload('[]'),
      withPayload('null'),
      withPayload('{'),
      withPayload(`{${claimsText}}{}`),
      withPayload(`{${claimsText},"deep":${'['.repeat(200)}${']'.repeat(200)}}`),
      withPayload(`{${claimsText},"x":"\u00ff`),
    ],
    time: [
      issuer.token({ exp: now - 120 }),
      issuer.token({ exp: 0 }),
      issuer.token({ exp: -1 }),
      issuer.token({ exp: undefined }),
      issuer.token({ exp: null }),
      issuer.token({ exp: String(now + 3600) }),
      issuer.token({ exp: [now + 3600] }),
      issuer.token({ exp: true }),
      withPayload(`{${claimsText.replace(/"exp":\d+/, '"exp":1e999')}}`),
      withPayload(`{${claimsText.replace(/"exp":\d+/, '"exp":-1e999')}}`),
      issuer.token({ nbf: now + 120 }),
      issuer.token({ nbf: 'soon' }),
      issuer.token({ nbf: now + 1e9 }),
      issuer.token({ iat: 'now' }),
    ],
    'issuer and audience': [
      issuer.token({ iss: undefined }),
      issuer.token({ iss: 'https://issuer.test' }),
      issuer.token({ iss: 'https://ISSUER.test/' }),
      issuer.token({ iss: 'https://issuer.test//' }),
      issuer.token({ iss: [ISSUER] }),
      issuer.token({ iss: `${ISSUER} ` }),
      issuer.token({ iss: 'https://evil.test/' }),
      issuer.token({ aud: undefined }),
      issuer.token({ aud: '' }),
      issuer.token({ aud: 'SHOP' }),
      issuer.token({ aud: 'shop2' }),
      issuer.token({ aud: [] }),
      issuer.token({ aud: ['other'] }),
      issuer.token({ aud: [[AUDIENCE]] }),
      issuer.token({ aud: { 0: AUDIENCE } }),
      issuer.token({ aud: [AUDIENCE, 1] }),
      issuer.token({ aud: `${AUDIENCE},other` }),
      issuer.token({ sub: 1 }),
      issuer.token({ sub: ['anna'] }),
    ],
    'nobody signed': [
      issuer.token({}, {}, mallory.privateKey),
      `${header}.${part({ ...goodClaims(), role: 'admin' })}.${signature}`,
      `${part({ alg: 'RS256', kid: 'r1', typ: 'x' })}.${payload}.${signature}`,
      `${header}.${payload}.${Buffer.alloc(256).toString('base64url')}`,
      `${header}.${payload}.${Buffer.alloc(256, 255).toString('base64url')}`,
      `${header}.${payload}.${Buffer.from(signature, 'base64url').subarray(1).toString('base64url')}`,
    ],
  };
  const places: readonly string[] = [
    marked('GET /x', HOST),
    marked('GET /x', `${HOST}Authorization: ${good}\r\n`),
    marked('GET /x', `${HOST}Authorization: Basic ${good}\r\n`),
    marked('GET /x', `${HOST}Authorization: Bearer${good}\r\n`),
    marked('GET /x', `${HOST}Authorization: Bearer: ${good}\r\n`),
    marked('GET /x', `${HOST}Authorization: Bearer ${good}\r\nAuthorization: Bearer ${good}\r\n`),
    marked('GET /x', `${HOST}Authorization: Bearer x\r\nAuthorization: Bearer ${good}\r\n`),
    marked('GET /x', `${HOST}Authorization: Bearer ${good}\r\nAuthorization: Basic YTpi\r\n`),
    marked('GET /x', `${HOST}Authorization: Bearer ${good}, Bearer x\r\n`),
    marked('GET /x', `${HOST}Authorization: Basic YTpi, Bearer ${good}\r\n`),
    marked('GET /x', `${HOST}Proxy-Authorization: Bearer ${good}\r\n`),
    marked('GET /x', `${HOST}X-Authorization: Bearer ${good}\r\n`),
    marked('GET /x', `${HOST}Authorization_: Bearer ${good}\r\n`),
    marked('GET /x', `${HOST}Cookie: token=${good}\r\n`),
    marked(`GET /x?access_token=${good}`, HOST),
    marked(`GET /x?token=${good}`, `${HOST}Authorization: Bearer ${issuer.token({ role: 'admin' })}\r\n`),
    marked(`GET /x?token=${good}&token=x`, HOST),
    marked(
      'POST /x',
      `${HOST}Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n`,
      `1\r\na\r\n0\r\nAuthorization: Bearer ${good}\r\n\r\n`,
    ),
    marked(
      'POST /x',
      `${HOST}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${good.length + 13}\r\n`,
      `access_token=${good}`,
    ),
    marked('OPTIONS /x', `${HOST}Origin: https://shop.test\r\nAccess-Control-Request-Method: GET\r\n`),
    marked('GET /no-such-route', HOST),
    marked('HEAD /x', HOST),
    marked('GET /x', `${HOST}Connection: authorization\r\nAuthorization: Bearer x\r\n`),
  ];
  const roles: readonly string[] = [
    bearer(good, '/admin'),
    ...[
      'Admin',
      'ADMIN',
      'admin ',
      'administrator',
      ['user', 'xadmin'],
      { admin: true },
      true,
      '*',
      'user,admin',
      'user admin',
    ].map((role) => bearer(issuer.token({ role }), '/admin')),
    bearer(issuer.token({ role: undefined, roles: 'admin' }), '/admin'),
    bearer(issuer.token({ __proto__: { role: 'admin' }, role: undefined }), '/admin'),
    bearer(good, '/%61dmin'),
    bearer(good, '/x/../admin'),
    bearer(good, '//admin'),
    bearer(good, '/ADMIN'),
  ];
  const hostile = (group: string, send: string): PolicyCase => ({
    gate: 'tokens',
    group: `tokens: ${group}`,
    send,
    kind: 'hostile',
    breach: nothing,
  });
  const passes = (send: string, user: string): PolicyCase => ({
    gate: 'tokens',
    group: 'tokens: good ones',
    send,
    kind: 'allowed',
    breach: ([seen]) => {
      if (seen === undefined) return 'did not arrive';
      const users = valuesOf(seen, (name) => name.replaceAll('_', '-') === 'x-user').join();
      if (users !== user) return `x-user is ${users}`;
      return valuesOf(seen, (name) => name === 'authorization').length > 0
        ? 'the token was passed on'
        : undefined;
    },
  });
  return [
    ...Object.entries(lists).flatMap(([group, tokens]) =>
      tokens.map((token) => hostile(group, bearer(token))),
    ),
    ...places.map((send) => hostile('places', send)),
    ...roles.map((send) => hostile('claims that decide', send)),
    passes(bearer(good), 'anna'),
    passes(bearer(issuer.token({ aud: ['other', AUDIENCE], nbf: now + 30, exp: now - 30 })), 'anna'),
    passes(bearer(issuer.token({}, { alg: 'ES256', kid: 'e1' }, issuer.ec.private)), 'anna'),
    passes(bearer(issuer.token({ role: ['user', 'admin'] }), '/admin'), 'anna'),
    passes(
      marked('GET /x', `${HOST}authorization: bEARER ${good}\r\nX-User: root\r\nX_User: root\r\n`),
      'anna',
    ),
    passes(marked(`GET /x?token=${good}`, HOST), 'anna'),
  ];
}
