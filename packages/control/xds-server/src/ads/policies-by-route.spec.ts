import type { FilterEntry, HttpHandler, Listener, ProxyConfig, RouteConfig } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../provider.ts';
import { createPoliciesByRoute } from './policies-by-route.ts';

const AUTHZ = 'tulle.http.authz';
const entry = (filter: string, config: unknown = {}): FilterEntry => ({ name: filter, filter, config });
const authz = (name: string): FilterEntry => ({
  ...entry(AUTHZ, { policies: [{ name, action: 'ALLOW', rules: [] }], defaultAction: 'allow' }),
  mandatory: true,
});
const handler = (...filters: FilterEntry[]): HttpHandler => ({
  kind: 'http',
  routes: { name: 'inbound|80||web', virtualHosts: [] },
  filters,
});
const listener = (direction: 'inbound' | 'outbound', ...handlers: HttpHandler[]): Listener => ({
  name: 'one',
  address: { host: '127.0.0.1', port: 15006 },
  direction,
  filterChains: handlers.map((one, i) => ({ name: `chain-${i}`, handler: one })),
});
const snapshot = (changeId: string, ...listeners: Listener[]): Snapshot => {
  const config: ProxyConfig = { version: changeId, listeners, routes: [], clusters: [], endpoints: [] };
  return { changeId, config };
};
const overrideIn = (route: RouteConfig | undefined): unknown => route?.filterConfigs?.[AUTHZ];

describe('the policy of an inbound listener, for a client that is not of Tulle', () => {
  it('stands with its routes, so that the listener is the same whatever it says, and where there is none', () => {
    const byRoute = createPoliciesByRoute();
    const [one, two, none] = [[authz('a/one')], [authz('a/two')], []].map((filters) =>
      byRoute(snapshot('1', listener('inbound', handler(...filters)))),
    );
    expect(two?.config.listeners).toEqual(one?.config.listeners);
    expect(none?.config.listeners).toEqual(one?.config.listeners);
    expect([one, two, none].map((made) => overrideIn(made?.config.routes[0]))).toEqual([
      authz('a/one').config,
      authz('a/two').config,
      { policies: [], defaultAction: 'allow' },
    ]);
    const chain = one?.config.listeners[0]?.filterChains[0]?.handler;
    expect(chain).toMatchObject({
      routes: { routeConfigName: 'inbound|80||web' },
      filters: [{ name: AUTHZ, config: { policies: [], defaultAction: 'deny' } }], // of what has no route
    });
  });

  it('is asked where it would be asked: after tokens and CORS, before the rest', () => {
    const order = (...filters: FilterEntry[]): string[] => {
      const made = createPoliciesByRoute()(snapshot('1', listener('inbound', handler(...filters))));
      const { handler: one } = made.config.listeners[0]?.filterChains[0] ?? {};
      return one?.kind === 'http' ? one.filters.map(({ filter }) => filter) : [];
    };
    const [jwt, fault] = [entry('tulle.http.jwt'), entry('tulle.http.fault')];
    expect(order(jwt, fault)).toEqual(['tulle.http.jwt', AUTHZ, 'tulle.http.fault']);
    expect(order(jwt, authz('x'), fault)).toEqual(['tulle.http.jwt', AUTHZ, 'tulle.http.fault']);
    expect(order(fault)).toEqual([AUTHZ, 'tulle.http.fault']);
  });

  it('is each chain its own, where chains differ', () => {
    const one = listener('inbound', handler(authz('a')), handler(authz('b')), handler(authz('a')));
    const { config } = createPoliciesByRoute()(snapshot('1', one));
    expect(config.routes.map(({ name }) => name)).toEqual(['inbound|80||web', 'inbound|80||web~chain-1']);
    expect(
      config.listeners[0]?.filterChains.map(({ handler: h }) => (h.kind === 'http' ? h.routes : undefined)),
    ).toEqual([
      { routeConfigName: 'inbound|80||web' },
      { routeConfigName: 'inbound|80||web~chain-1' },
      { routeConfigName: 'inbound|80||web' },
    ]);
  });

  it('is not moved where it is not asked of callers of the mesh; what did not change stays the same object', () => {
    const byRoute = createPoliciesByRoute();
    const outbound = snapshot('1', listener('outbound', handler()));
    expect(byRoute(outbound)).toBe(outbound);
    const inbound = listener('inbound', handler(authz('a')));
    const [first, second] = [byRoute(snapshot('1', inbound)), byRoute(snapshot('2', inbound))];
    expect(second.config.listeners[0]).toBe(first.config.listeners[0]);
    expect(second.config.routes[0]).toBe(first.config.routes[0]);
  });
});
