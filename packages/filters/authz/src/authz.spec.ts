import type { AuthzFilterConfig, AuthzPolicy, AuthzRule } from '@tulle/model';
import { runChain, type ChainRun } from '@tulle/testkit';
import { loadRegexEngine } from '@tulle/match';
import { beforeAll, describe, expect, it } from 'vitest';
import { authz, NOTE_ALLOWED, NOTE_DENIED, NOTE_SHADOW_ALLOWED, NOTE_SHADOW_DENIED } from './index.ts';

// Loading takes real time; under the fake clock a request would wait for hours.
beforeAll(async () => void (await loadRegexEngine()));

const WEB = 'spiffe://mesh.local/ns/default/sa/web';

interface Asked extends Omit<ChainRun, 'filters' | 'request'> {
  readonly identity?: string;
  readonly from?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
}

async function ask(
  config: AuthzFilterConfig,
  { identity, from, method, path, headers, ...rest }: Asked = {},
) {
  const { response, record, meter, upstreamRequests } = await runChain({
    filters: [authz(config, { name: 'authz' })],
    request: {
      ...(method === undefined ? {} : { method }),
      ...(path === undefined ? {} : { path }),
      ...(headers === undefined ? {} : { headers }),
    },
    caller: {
      ...(from === undefined ? {} : { host: from }),
      ...(identity === undefined ? {} : { tls: { identity } }),
    },
    ...rest,
  });
  return {
    status: response?.status,
    body: response?.body,
    details: record?.details,
    code: record?.code,
    notes: record?.notes ?? [],
    meter,
    path: upstreamRequests[0]?.target,
  };
}

const policy = (
  action: 'ALLOW' | 'DENY',
  rules: readonly AuthzRule[],
  rest: Partial<AuthzPolicy> = {},
): AuthzPolicy => ({ name: `default/${action.toLowerCase()}`, action, rules, ...rest });
const only = (action: 'ALLOW' | 'DENY', rule: AuthzRule): AuthzFilterConfig => ({
  policies: [policy(action, [rule])],
});

/** What an ALLOW and a DENY of the same rule do with a request. */
async function both(rule: AuthzRule, asked: Asked): Promise<[allow: boolean, deny: boolean]> {
  const [allow, deny] = await Promise.all([ask(only('ALLOW', rule), asked), ask(only('DENY', rule), asked)]);
  return [allow.status === 200, deny.status === 403];
}

describe('policies', () => {
  it.each<[string, AuthzFilterConfig, number]>([
    ['none: everything passes', { policies: [], defaultAction: 'allow' }, 200],
    ['none, strict profile', { policies: [], defaultAction: 'deny' }, 403],
    ['an ALLOW that matches', { policies: [policy('ALLOW', [{}])] }, 200],
    [
      'an ALLOW that matches, strict profile',
      { policies: [policy('ALLOW', [{}])], defaultAction: 'deny' },
      200,
    ],
    ['an ALLOW that does not match', { policies: [policy('ALLOW', [{ to: { methods: ['POST'] } }])] }, 403],
    ['an ALLOW without rules denies all', { policies: [policy('ALLOW', [])] }, 403],
    ['a DENY without rules denies nothing', { policies: [policy('DENY', [])] }, 200],
    [
      'DENY wins over ALLOW, wherever it stands',
      { policies: [policy('ALLOW', [{}]), policy('DENY', [{}])] },
      403,
    ],
    [
      'rules are alternatives',
      { policies: [policy('ALLOW', [{ to: { methods: ['POST'] } }, { to: { methods: ['GET'] } }])] },
      200,
    ],
    [
      'fields of a rule must all hold',
      { policies: [policy('ALLOW', [{ to: { methods: ['GET'], paths: ['/other'] } }])] },
      403,
    ],
    [
      'one of several ALLOWs is enough',
      {
        policies: [
          policy('ALLOW', [{ to: { methods: ['POST'] } }]),
          policy('ALLOW', [{ to: { methods: ['GET'] } }]),
        ],
      },
      200,
    ],
  ])('%s', async (_name, config, status) => {
    expect((await ask(config)).status).toBe(status);
  });

  it('are named where they deny, in details, metrics and notes', async () => {
    const config = {
      policies: [policy('ALLOW', [{}]), policy('DENY', [{}], { name: 'default/no "admin"\n' })],
    };
    const { code, details, meter, notes, body } = await ask(config);
    expect([code, details]).toEqual([
      'TULLE_AUTHZ_DENIED',
      'rbac_access_denied_matched_policy[default/no__admin__]',
    ]);
    expect(body).not.toContain('default');
    expect(
      meter.value('tulle_filter_authz_denied_total', { filter: 'authz', policy: 'default/no "admin"\n' }),
    ).toBe(1);
    expect(notes.join()).toContain([NOTE_DENIED, 1].join());
    const none = await ask({ policies: [policy('ALLOW', [])] });
    expect([none.details, none.meter.value('tulle_filter_authz_denied_total', { policy: 'none' })]).toEqual([
      'rbac_access_denied_matched_policy[none]',
      1,
    ]);
    const passed = await ask({ policies: [policy('ALLOW', [{}])] });
    expect(passed.meter.value('tulle_filter_authz_allowed_total')).toBe(1);
    expect(passed.notes.join()).toContain([NOTE_ALLOWED, 0].join());
  });

  it('in shadow mode are decided, counted and noted, and change nothing', async () => {
    const wouldDeny = await ask({ policies: [policy('DENY', [{}], { shadow: true })] });
    expect([
      wouldDeny.status,
      wouldDeny.meter.value('tulle_filter_authz_shadow_denied_total', { policy: 'default/deny' }),
    ]).toEqual([200, 1]);
    expect(wouldDeny.notes.join()).toContain([NOTE_SHADOW_DENIED, 0].join());
    const firstAllow = await ask({
      policies: [policy('ALLOW', [{ to: { methods: ['POST'] } }], { shadow: true })],
    });
    expect([
      firstAllow.status,
      firstAllow.meter.value('tulle_filter_authz_shadow_denied_total', { policy: 'none' }),
    ]).toEqual([200, 1]);
    const wouldAllow = await ask({
      policies: [policy('ALLOW', []), policy('ALLOW', [{}], { name: 'default/more', shadow: true })],
    });
    expect([
      wouldAllow.status,
      wouldAllow.meter.value('tulle_filter_authz_shadow_allowed_total', { policy: 'default/more' }),
    ]).toEqual([403, 1]);
    expect(wouldAllow.notes.join()).toContain([NOTE_SHADOW_ALLOWED, 1].join());
    const agrees = await ask({ policies: [policy('ALLOW', [{}]), policy('ALLOW', [{}], { shadow: true })] });
    expect(
      agrees.meter.value('tulle_filter_authz_shadow_denied_total') +
        agrees.meter.value('tulle_filter_authz_shadow_allowed_total'),
    ).toBe(0);
  });
});

describe('identities', () => {
  it.each<[string, string | undefined, boolean]>([
    [WEB, WEB, true],
    [WEB, `${WEB}2`, false],
    [WEB, 'spiffe://mesh.local/ns/default/sa/we', false],
    [WEB, undefined, false],
    ['*', WEB, true],
    ['*', undefined, false],
    ['spiffe://mesh.local/*', WEB, true],
    ['spiffe://mesh.local/*', 'spiffe://mesh.local.evil/ns/default/sa/web', false],
    ['spiffe://mesh.local/*', 'spiffe://mesh.localevil/ns/a/sa/b', false],
    ['spiffe://mesh.local/ns/default/*', WEB, true],
    ['spiffe://mesh.local/ns/default/*', 'spiffe://mesh.local/ns/default-evil/sa/web', false],
    ['spiffe://mesh.local/ns/default/sa/web*', `${WEB}-v2`, true],
    ['spiffe://mesh.local/ns/def*', WEB, false],
    ['spiffe://mesh.local/ns/default/sa/w*', 'spiffe://mesh.local/ns/default/sa/w/x', false],
  ])('%s and caller %s: %s', async (pattern, identity, matches) => {
    expect(
      await both({ from: { identities: [pattern] } }, identity === undefined ? {} : { identity }),
    ).toEqual([matches, matches]);
  });

  it('that are excepted: nobody knows is not allowed, and not spared', async () => {
    const rule = { from: { notIdentities: [WEB] } };
    expect(await both(rule, { identity: WEB })).toEqual([false, false]);
    expect(await both(rule, { identity: 'spiffe://mesh.local/ns/default/sa/other' })).toEqual([true, true]);
    expect(await both(rule, {})).toEqual([false, true]);
  });

  it('are looked at by namespace', async () => {
    const rule = { from: { namespaces: ['default'] } };
    expect(await both(rule, { identity: WEB })).toEqual([true, true]);
    expect(await both(rule, { identity: 'spiffe://mesh.local/ns/prod/sa/web' })).toEqual([false, false]);
    expect(await both(rule, { identity: 'spiffe://mesh.local/other/ns/default/sa/web' })).toEqual([
      false,
      false,
    ]);
    expect(await both(rule, {})).toEqual([false, false]);
  });
});

describe('networks', () => {
  it.each<[string, string, boolean]>([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['2001:db8::/32', '2001:db8::7', true],
    ['2001:db8::/32', '2001:db9::7', false],
    ['192.0.2.1', '192.0.2.1', true],
  ])('%s and %s: %s', async (cidr, from, matches) => {
    expect(await both({ from: { cidrs: [cidr] } }, { from })).toEqual([matches, matches]);
    expect(await both({ from: { notCidrs: [cidr] } }, { from })).toEqual([!matches, !matches]);
  });
});

describe('a denied path', () => {
  const spellings = [
    '/admin',
    '//admin',
    '/./admin',
    '/x/../admin',
    '/%61dmin',
    '/%61%64%6D%69%6E',
    '/x/%2e%2e/admin',
    '/ADMIN',
    '/Admin',
    '/admin/',
    '/admin;x=1',
    '/admin.',
    '/admin./',
    '/admin%20',
    '/admin%23x',
    '/admin%3Fx=1',
    '/admin;',
    '/admin%3Bx',
    '/;x/admin',
    '/x;y/../admin',
    '/ADMIN;a/',
    '/admin/.',
    '/admin/x/..',
    '/\\admin',
    '/%2fadmin',
    '/%5cadmin',
    '/admin%00',
    '/%2561dmin',
    '/%c0%afadmin',
    '/..;/admin',
    '/admin%',
    '/%2e%2e/admin',
    '/admin#x',
  ];

  it.each(spellings)('%s is denied or refused', async (path) => {
    const { status, path: forwarded } = await ask(only('DENY', { to: { paths: ['/admin'] } }), { path });
    expect([status, forwarded]).toEqual([status === 400 ? 400 : 403, undefined]);
  });

  it.each(['/administrator', '/x/admin', '/adm', '/admin/users', '/admi%6E2'])(
    '%s is another',
    async (path) => {
      expect((await ask(only('DENY', { to: { paths: ['/admin'] } }), { path })).status).toBe(200);
    },
  );

  it.each([
    ['/a%2Bb', '/a+b', true],
    ['/caf%C3%A9', '/café', true],
    ['/a%20b', '/a%20b', true],
    ['/x/ADMIN/users', '*/admin/users', true],
    ['/api/ADMIN', '/api/*', true],
    ['/API/x', '/api/*', true],
    ['/api', '/api/*', false],
    ['/.git/config', '/.git*', true],
    ['/.GIT/x', '/.g*', true],
    ['/files/a.env;x', '*.env', true],
    ['/files/a.env/', '*.env', true],
    ['/a;b', '/a;b', true],
  ])('%s and the pattern %s: %s', async (path, pattern, denied) => {
    expect((await ask(only('DENY', { to: { paths: [pattern] } }), { path })).status).toBe(denied ? 403 : 200);
  });
});

describe('an allowed path', () => {
  it.each<[string, string, boolean]>([
    ['/public', '/public', true],
    ['/public', '/PUBLIC', false],
    ['/public', '/public/', false],
    ['/public/*', '/public/a', true],
    ['/public/*', '/public/../admin', false],
    ['/public/*', '/public/a;b', true],
    ['*.css', '/a.css', true],
    ['*.css', '/admin;.css', false],
    ['*.css', '/admin%3B.css', false],
    ['/a+b', '/a%2Bb', false],
    ['*', '/anything', true],
  ])('%s lets %s pass: %s', async (pattern, path, allowed) => {
    expect((await ask(only('ALLOW', { to: { paths: [pattern] } }), { path })).status).toBe(
      allowed ? 200 : 403,
    );
  });

  it('with exceptions: what may be an exception is not allowed', async () => {
    const rule = { to: { notPaths: ['/admin'] } };
    expect(await both(rule, { path: '/shop' })).toEqual([true, true]);
    expect(await both(rule, { path: '/admin' })).toEqual([false, false]);
    expect(await both(rule, { path: '/ADMIN' })).toEqual([false, true]);
    expect(await both(rule, { path: '/admin;x' })).toEqual([false, true]);
  });
});

describe('methods, hosts, ports and headers', () => {
  it('methods are compared as they are', async () => {
    expect(await both({ to: { methods: ['GET'] } }, { method: 'GET' })).toEqual([true, true]);
    expect(await both({ to: { methods: ['POST'] } }, { method: 'GET' })).toEqual([false, false]);
    expect(await both({ to: { notMethods: ['POST'] } }, { method: 'GET' })).toEqual([true, true]);
  });

  it.each<[string, string, boolean]>([
    ['shop.example', 'shop.example', true],
    ['shop.example', 'SHOP.example.', true],
    ['shop.example', 'shop.example:8080', true],
    ['shop.example:8080', 'shop.example', false],
    ['*.example', 'shop.example', true],
    ['*.example', 'example', false],
    ['*.example', 'badexample', false],
    ['shop.example', 'shop.example.evil', false],
  ])('host %s and %s: %s', async (pattern, host, matches) => {
    expect(await both({ to: { hosts: [pattern] } }, { headers: [['host', host]] })).toEqual([
      matches,
      matches,
    ]);
    expect(await both({ to: { notHosts: [pattern] } }, { headers: [['host', host]] })).toEqual([
      !matches,
      !matches,
    ]);
  });

  it('ports are those of the listener', async () => {
    expect(await both({ to: { ports: [8080] } }, {})).toEqual([true, true]);
    expect(await both({ to: { ports: [80] } }, {})).toEqual([false, false]);
  });

  it.each<[string, readonly (readonly [string, string])[], [boolean, boolean]]>([
    ['one line', [['x-role', 'admin']], [true, true]],
    ['no line', [], [false, false]],
    ['another value', [['x-role', 'user']], [false, false]],
    [
      'two lines that differ: the origin may take either',
      [
        ['x-role', 'user'],
        ['X-Role', 'admin'],
      ],
      [false, true],
    ],
    [
      'two lines that agree',
      [
        ['x-role', 'admin'],
        ['x-role', 'admin'],
      ],
      [true, true],
    ],
    ['an underscore', [['x_role', 'admin']], [false, false]],
  ])('a header: %s', async (_name, headers, expected) => {
    expect(
      await both(
        { to: { headers: [{ name: 'X-Role', match: { kind: 'exact', value: 'admin' } }] } },
        { headers },
      ),
    ).toEqual(expected);
  });

  it.each<[string, readonly (readonly [string, string])[], [boolean, boolean]]>([
    ['no line', [], [true, true]],
    ['another value', [['x-role', 'user']], [true, true]],
    ['the value', [['x-role', 'admin']], [false, false]],
    [
      'both',
      [
        ['x-role', 'admin'],
        ['x-role', 'user'],
      ],
      [false, true],
    ],
  ])('a header inverted: %s', async (_name, headers, expected) => {
    expect(
      await both(
        { to: { headers: [{ name: 'x-role', match: { kind: 'exact', value: 'admin' }, invert: true }] } },
        { headers },
      ),
    ).toEqual(expected);
  });

  it('a header by pattern', async () => {
    const rule = { to: { headers: [{ name: 'x', match: { kind: 'regex' as const, value: 'v[0-9]+' } }] } };
    expect(await both(rule, { headers: [['x', 'v12']] })).toEqual([true, true]);
    expect(await both(rule, { headers: [['x', 'v12a']] })).toEqual([false, false]);
  });
});

describe('on a route', () => {
  const base = only('DENY', {});

  it('policies replace those of the chain, also with patterns', async () => {
    expect((await ask(base, { filterConfigs: { authz: only('ALLOW', {}) } })).status).toBe(200);
    const pattern = only('DENY', { to: { headers: [{ name: 'x', match: { kind: 'regex', value: 'a+' } }] } });
    expect((await ask(base, { filterConfigs: { authz: pattern }, headers: [['x', 'aa']] })).status).toBe(403);
    expect((await ask(base, { filterConfigs: { authz: pattern }, headers: [['x', 'b']] })).status).toBe(200);
  });

  it('wrong policies are refused with the configuration, patterns among them', async () => {
    const broken = only('ALLOW', {
      to: { headers: [{ name: 'x', match: { kind: 'regex', value: '(' }, invert: true }] },
    });
    await expect(ask(base, { filterConfigs: { authz: broken } })).rejects.toMatchObject({
      issues: [
        { path: expect.stringContaining('/filterConfigs/authz/policies/0/rules/0/to/headers/0') as string },
      ],
    });
    await expect(
      ask(base, { filterConfigs: { authz: only('ALLOW', { from: { cidrs: ['10.0.0.0/99'] } }) } }),
    ).rejects.toThrow(/is no network/);
  });
});

describe('a wrong configuration', () => {
  it('is refused with every fault', async () => {
    const config = {
      policies: [
        policy('ALLOW', [
          {
            from: {
              identities: ['web', 'spiffe://mesh*', 'spiffe://mesh.local', 'spiffe://a/*/b', '*'],
              cidrs: ['nonsense'],
            },
            to: {
              paths: ['relative', '/a*b', '*a*', '/a%2fb', '/ok'],
              hosts: ['a*b'],
              headers: [{ name: 'x', match: { kind: 'regex', value: '(' } }],
            },
          },
        ]),
      ],
    } satisfies AuthzFilterConfig;
    const message = String(await ask(config).catch((error: unknown) => error));
    const at = '/policies/0/rules/0';
    for (const place of [
      `${at}/from/identities/0`,
      `${at}/from/identities/1`,
      `${at}/from/identities/2`,
      `${at}/from/identities/3`,
      `${at}/from/cidrs/0`,
      `${at}/to/paths/0`,
      `${at}/to/paths/1`,
      `${at}/to/paths/2`,
      `${at}/to/paths/3`,
      `${at}/to/hosts/0`,
      `${at}/to/headers/0/match/value`,
    ]) {
      expect(message).toContain(`${place} `);
    }
    expect(message).not.toContain('/identities/4');
    expect(message).not.toContain('/paths/4');
  });
});

it('decides synchronously where no pattern has to be loaded', async () => {
  const hooks = await authz.definition.create({ counter: () => ({ add() {} }) } as never, {
    policies: [policy('ALLOW', [{}])],
  });
  expect(
    hooks.requestHeaders?.({ note() {} } as never, { policies: [policy('ALLOW', [{}])] }, undefined),
  ).toBe(0);
});
