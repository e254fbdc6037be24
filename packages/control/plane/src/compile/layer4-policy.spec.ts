import { CompileContext, compileCidrs, compileStringMatch, loadRegexEngine } from '@tulle/match';
import type {
  AuthzExpression,
  AuthzPolicy,
  AuthzRule,
  AuthzSource,
  AuthzTarget,
  ConnAuthzFilterConfig,
} from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { MeshSettings } from './clusters.ts';
import { connectionAuthz } from './layer4-policy.ts';

/** What a connection shows. */
interface Caller {
  readonly id?: string;
  readonly from: string;
  readonly port: number;
}

const ID = 'spiffe://mesh.local/ns/shop/sa';
const WEB: Caller = { id: `${ID}/web`, from: '10.0.0.1', port: 80 };
const JOB: Caller = { ...WEB, id: `${ID}/job` };
const STRANGER: Caller = { from: '10.0.0.1', port: 80 };
const NOWHERE: Caller = { ...WEB, from: '' };
const id = (value: string): Caller => ({ ...WEB, id: value });

const engine = await loadRegexEngine();

/** What the filter makes of an expression; throws on what a connection does not show. */
function holds(expression: AuthzExpression, caller: Caller): boolean {
  const context = new CompileContext(engine);
  const test = (): boolean => {
    if ('any' in expression) return true;
    if ('allOf' in expression) return expression.allOf.every((part) => holds(part, caller));
    if ('anyOf' in expression) return expression.anyOf.some((part) => holds(part, caller));
    if ('not' in expression) return !holds(expression.not, caller);
    if ('ports' in expression)
      return caller.port >= expression.ports.first && caller.port <= expression.ports.last;
    if ('peer' in expression) return compileCidrs([expression.peer], context, '').has(caller.from);
    if ('identity' in expression)
      return caller.id !== undefined && compileStringMatch(expression.identity, context, '')(caller.id);
    throw new Error(`not of a connection: ${JSON.stringify(expression)}`);
  };
  const answer = test();
  expect(context.issues).toEqual([]);
  return answer;
}

const mesh = (defaultAction: 'allow' | 'deny'): MeshSettings => ({
  trustDomain: 'mesh.local',
  suffix: 'svc.mesh.local',
  rootNamespace: 'tulle-system',
  defaultAction,
  sessionSecret: '0'.repeat(32),
  protocol: 'auto',
});
const policy = (action: 'ALLOW' | 'DENY', ...rules: AuthzRule[]): AuthzPolicy => ({
  name: `shop/${action}`,
  action,
  rules,
});

/** DENY wins; with an ALLOW policy passes what one matches, else what the mesh does by default. */
function passes(
  caller: Caller,
  policies: readonly AuthzPolicy[],
  byDefault: 'allow' | 'deny' = 'allow',
): boolean {
  const [entry] = connectionAuthz(policies, mesh(byDefault));
  if (entry === undefined) return true;
  expect(entry.mandatory).toBe(true);
  const { policies: judged, defaultAction } = entry.config as ConnAuthzFilterConfig;
  const inForce = judged.filter(({ shadow }) => shadow !== true);
  const matching = (action: 'ALLOW' | 'DENY'): boolean =>
    inForce.some((one) => one.action === action && holds(one.expression, caller));
  if (matching('DENY')) return false;
  return inForce.some(({ action }) => action === 'ALLOW') ? matching('ALLOW') : defaultAction === 'allow';
}

describe('policy of connections, for who calls', () => {
  it.each<[string, AuthzSource, Caller, boolean]>([
    ['an identity', { identities: [`${ID}/web`] }, WEB, true],
    ['another identity', { identities: [`${ID}/web`] }, JOB, false],
    ['an identity that begins like it', { identities: [`${ID}/web`] }, id(`${ID}/web2`), false],
    ['nobody proven, of an identity', { identities: [`${ID}/web`] }, STRANGER, false],
    ['any proven identity', { identities: ['*'] }, id('spiffe://other/x'), true],
    ['nobody proven, of any identity', { identities: ['*'] }, STRANGER, false],
    ['all below', { identities: ['spiffe://mesh.local/ns/*'] }, WEB, true],
    [
      'all below of another mesh',
      { identities: ['spiffe://mesh.local/*'] },
      id('spiffe://mesh.local.evil/a'),
      false,
    ],
    ['the rest of a segment', { identities: [`${ID}/we*`] }, WEB, true],
    ['more than the rest of a segment', { identities: [`${ID}/we*`] }, id(`${ID}/web/admin`), false],
    ['a dot is a dot', { identities: [`${ID}/a.b*`] }, id(`${ID}/axb`), false],
    ['a namespace', { namespaces: ['shop'] }, WEB, true],
    ['another namespace', { namespaces: ['shop'] }, id('spiffe://mesh.local/ns/shop2/sa/web'), false],
    ['more than an account of a namespace', { namespaces: ['shop'] }, id(`${ID}/web/x`), false],
    ['a namespace within the name of an account', { namespaces: ['a'] }, id(`${ID}/ns/a/sa/b`), false],
    ['nobody proven, of a namespace', { namespaces: ['shop'] }, STRANGER, false],
    ['a network', { cidrs: ['10.0.0.0/8'] }, STRANGER, true],
    ['another network', { cidrs: ['192.0.2.0/24'] }, WEB, false],
    ['all of several', { cidrs: ['10.0.0.0/8'], identities: [`${ID}/job`] }, WEB, false],
    ['none of those excepted', { notIdentities: [`${ID}/web`] }, JOB, true],
    ['one of those excepted', { notIdentities: [`${ID}/web`] }, WEB, false],
    ['none of the networks excepted', { notCidrs: ['192.0.2.0/24'] }, WEB, true],
    ['one of the networks excepted', { notCidrs: ['10.0.0.0/8'] }, WEB, false],
  ])('%s', (_name, from, caller, meant) => {
    expect(passes(caller, [policy('ALLOW', { from })])).toBe(meant);
    expect(passes(caller, [policy('DENY', { from })])).toBe(!meant);
  });

  it.each<[string, AuthzSource, Caller]>([
    ['an identity', { notIdentities: [`${ID}/web`] }, STRANGER],
    ['an address', { notCidrs: ['192.0.2.0/24'] }, NOWHERE],
  ])('whose lack of %s is enough to deny and not enough to allow', (_name, from, caller) => {
    expect(passes(caller, [policy('ALLOW', { from })])).toBe(false);
    expect(passes(caller, [policy('DENY', { from })])).toBe(false);
  });
});

describe('policy of connections, for what is asked of requests', () => {
  const OF_REQUESTS: readonly Omit<AuthzRule, 'from'>[] = [
    ...(
      [
        { methods: ['GET'] },
        { notMethods: ['GET'] },
        { paths: ['/a'] },
        { notPaths: ['/a'] },
        { hosts: ['a'] },
        { notHosts: ['a'] },
        { headers: [{ name: 'x', match: { kind: 'present' } }] },
      ] satisfies AuthzTarget[]
    ).map((to) => ({ to })),
    { when: [{ key: 'request.auth.principal', values: ['*'] }] },
    { expression: { any: true } },
  ];

  it.each(OF_REQUESTS)('%j allows nobody and denies whoever it might mean', (asks) => {
    const rule: AuthzRule = { from: { identities: [`${ID}/web`] }, ...asks };
    expect(passes(WEB, [policy('ALLOW', rule)])).toBe(false);
    expect(passes(WEB, [policy('DENY', rule)])).toBe(false);
    expect(passes(JOB, [policy('DENY', rule)])).toBe(true);
    expect(passes(STRANGER, [policy('DENY', asks)])).toBe(false);
    // What another rule of the policy allows, it allows.
    expect(passes(JOB, [policy('ALLOW', rule, { from: { identities: [`${ID}/job`] } })])).toBe(true);
  });

  it('takes ports, which a connection has', () => {
    const rule: AuthzRule = { to: { ports: [80, 443] } };
    expect(passes(WEB, [policy('ALLOW', rule)])).toBe(true);
    expect(passes({ ...WEB, port: 81 }, [policy('ALLOW', rule)])).toBe(false);
    expect(passes({ ...WEB, port: 443 }, [policy('DENY', rule)])).toBe(false);
    expect(passes({ ...WEB, port: 81 }, [policy('DENY', rule)])).toBe(true);
    const half: AuthzRule = { to: { ports: [80], paths: ['/a'] } };
    expect(passes(WEB, [policy('ALLOW', half)])).toBe(false);
    expect(passes(WEB, [policy('DENY', half)])).toBe(false);
    expect(passes({ ...WEB, port: 81 }, [policy('DENY', half)])).toBe(true);
  });
});

describe('policies of connections together', () => {
  it('deny what one denies, whatever others allow', () => {
    const both = [policy('ALLOW', {}), policy('DENY', { from: { identities: [`${ID}/job`] } })];
    expect(passes(WEB, both)).toBe(true);
    expect(passes(JOB, both)).toBe(false);
  });

  it('allow nobody by an ALLOW without rules, and deny nobody by a DENY without', () => {
    expect(passes(WEB, [policy('ALLOW')])).toBe(false);
    expect(passes(WEB, [policy('DENY')])).toBe(true);
  });

  it('decide nothing in shadow mode, and are counted there', () => {
    const shadow = { ...policy('DENY', {}), shadow: true };
    expect(passes(WEB, [shadow])).toBe(true);
    expect(passes(WEB, [{ ...policy('ALLOW', {}), shadow: true }], 'deny')).toBe(false);
    expect(connectionAuthz([shadow], mesh('allow'))).toMatchObject([
      { config: { policies: [{ shadow: true }] } },
    ]);
  });

  it('leave the rest to what the mesh does by default', () => {
    expect(connectionAuthz([], mesh('allow'))).toEqual([]);
    expect(passes(WEB, [], 'deny')).toBe(false);
    expect(passes(WEB, [policy('DENY', { from: { identities: [`${ID}/job`] } })], 'deny')).toBe(false);
    expect(passes(WEB, [policy('ALLOW', {})], 'deny')).toBe(true);
  });
});
