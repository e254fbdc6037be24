import { loadRegexEngine } from '@tulle/match';
import type { AuthzDecider, AuthzExpression, AuthzInput } from '@tulle/model';
import { runChain, type ChainRun } from '@tulle/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { authz, connAuthz } from './index.ts';

beforeAll(async () => void (await loadRegexEngine()));

const field = (value: string, name = 'x'): AuthzExpression => ({
  input: { header: name },
  match: { kind: 'exact', value },
});
const decide = (
  action: AuthzDecider['action'],
  expression: AuthzExpression,
  name: string = action,
): AuthzDecider => ({ name, action, expression });

async function ask(
  firstMatch: readonly AuthzDecider[],
  headers: readonly (readonly [string, string])[] = [],
  run: Partial<ChainRun> = {},
) {
  return runChain({
    filters: [authz({ policies: [], firstMatch }, { name: 'rbac' })],
    request: { headers: [...headers] },
    ...run,
  });
}

const statusOf = async (...given: Parameters<typeof ask>): Promise<number | undefined> =>
  (await ask(...given)).response?.status;

describe('a matcher', () => {
  it('decides by the first that holds', async () => {
    const deciders = [
      decide('DENY', field('a'), 'no-a'),
      decide('ALLOW', { any: true }),
      decide('DENY', { any: true }),
    ];
    const denied = await ask(deciders, [['x', 'a']]);
    expect(denied.response?.status).toBe(403);
    expect(denied.meter.value('tulle_filter_authz_denied_total', { policy: 'no-a' })).toBe(1);
    expect(await statusOf(deciders, [['x', 'b']])).toBe(200);
  });

  it('denies what nothing decides', async () => {
    const run = await ask([decide('ALLOW', field('a'))]);
    expect(run.response?.status).toBe(403);
    expect(run.meter.value('tulle_filter_authz_denied_total', { policy: 'none' })).toBe(1);
    expect(await statusOf([])).toBe(403);
  });

  it('lets pass and counts what it logs', async () => {
    const run = await ask([decide('LOG', { any: true }, 'noted'), decide('DENY', { any: true })]);
    expect(run.response?.status).toBe(200);
    expect(run.meter.value('tulle_filter_authz_logged_total', { policy: 'noted' })).toBe(1);
  });

  it('counts actions of one name together', async () => {
    const run = await ask([decide('DENY', field('a'), 'same'), decide('DENY', { any: true }, 'same')]);
    expect(run.meter.value('tulle_filter_authz_denied_total', { policy: 'same' })).toBe(1);
  });

  it.each<[string, AuthzExpression, readonly string[], number, number]>([
    ['one line', field('a'), ['a'], 200, 403],
    ['another line', field('a'), ['b'], 403, 200],
    ['no line', field('a'), [], 403, 200],
    ['one of two lines is enough to deny, not to allow', field('a'), ['a', 'b'], 403, 403],
    ['two lines that both hold', field('a'), ['a', 'a'], 200, 403],
    ['two lines that hold as one text', field('a,b'), ['a', 'b'], 403, 403],
    ['what must not hold', { not: field('a') }, ['b'], 200, 403],
    ['what must not hold and may', { not: field('a') }, ['a', 'b'], 403, 403],
  ])('%s', async (_, expression, lines, allowed, denied) => {
    const headers = lines.map((line) => ['x', line] as const);
    expect(await statusOf([decide('ALLOW', expression)], headers)).toBe(allowed);
    expect(await statusOf([decide('DENY', expression), decide('ALLOW', { any: true })], headers)).toBe(
      denied,
    );
  });

  it('comes after policies that deny, and not beside those that allow', async () => {
    const policy = (action: 'ALLOW' | 'DENY') => ({ name: 'p', action, rules: [{}] });
    const both = async (action: 'ALLOW' | 'DENY') =>
      runChain({
        filters: [authz({ policies: [policy(action)], firstMatch: [decide('ALLOW', { any: true })] })],
      });
    expect((await both('DENY')).response?.status).toBe(403);
    await expect(both('ALLOW')).rejects.toThrow(/policies\/0.*firstMatch/s);
  });

  it('is watched without deciding', async () => {
    const run = await runChain({
      filters: [
        authz({ policies: [], shadowFirstMatch: [decide('DENY', { any: true }, 'later')] }, { name: 'rbac' }),
      ],
    });
    expect(run.response?.status).toBe(200);
    expect(run.meter.value('tulle_filter_authz_shadow_denied_total', { policy: 'later' })).toBe(1);
  });
});

describe('inputs of a connection', () => {
  const CALLER = { tls: { identity: 'spiffe://mesh.local/ns/a/sa/b', serverName: 'shop.example' } };

  it.each<[AuthzInput, string, boolean]>([
    ['destination-ip', '10.99.99.99', false],
    ['destination-port', '1', false],
    ['source-port', '0', false],
    ['server-name', 'shop.example', true],
    ['server-name', 'other.example', false],
  ])('%j is %s: %s', async (input, value, expected) => {
    const firstMatch = [decide('ALLOW', { input, match: { kind: 'exact', value } })];
    const run = await runChain({
      filters: [],
      connectionFilters: [connAuthz({ policies: [], firstMatch }, { name: 'rbac' })],
      caller: CALLER,
    });
    expect(run.response?.status === 200).toBe(expected);
    expect(await statusOf(firstMatch, [], { caller: CALLER })).toBe(expected ? 200 : 403);
  });

  it('are never there where nobody says them', async () => {
    const firstMatch = [decide('ALLOW', { input: 'server-name', match: { kind: 'regex', value: '.*' } })];
    expect(await statusOf(firstMatch)).toBe(403);
  });

  it('are watched, counted, and do not have fields', async () => {
    const connect = async (config: Parameters<typeof connAuthz>[0]) =>
      runChain({ filters: [], connectionFilters: [connAuthz(config, { name: 'rbac' })] });
    const denied = await connect({ policies: [], firstMatch: [decide('DENY', { any: true }, 'shut')] });
    expect(denied.closed).toBe(true);
    expect(denied.meter.value('tulle_filter_conn_authz_denied_total', { policy: 'shut' })).toBe(1);
    const watched = await connect({
      policies: [],
      firstMatch: [decide('LOG', { any: true }, 'noted')],
      shadowFirstMatch: [],
    });
    expect(watched.response?.status).toBe(200);
    expect(watched.meter.value('tulle_filter_conn_authz_shadow_denied_total', { policy: 'none' })).toBe(1);
    expect(watched.meter.value('tulle_filter_conn_authz_logged_total', { policy: 'noted' })).toBe(1);
    await expect(connect({ policies: [], firstMatch: [decide('ALLOW', field('a'))] })).rejects.toThrow(
      /firstMatch\/0.*asks for a path or header/s,
    );
  });
});
