import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, RouteStatus } from '../src/index.ts';
import {
  closeAll,
  gatewayOf,
  join,
  made,
  make,
  put,
  route,
  said,
  saidOfRoute,
  SHOP,
} from './gateway-mesh.ts';

afterEach(closeAll);

const TAKEN = ['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs'];
const TO_SHOP = 'backendRefs: [{ name: shop, port: 80 }]';
const EDGE = 'parentRefs: [{ name: edge }]';
const REDIRECT = '{ type: RequestRedirect, requestRedirect: { hostname: a.example } }';
const MIRROR = '{ type: RequestMirror, requestMirror: { backendRef: { name: shop, port: 80 } } }';
const HTTP = '{ name: http, port: 80, protocol: HTTP }';

const messageOf = (cp: ControlPlane, type: string): string | undefined =>
  (cp.resourceStatus('HTTPRoute/default/shop') as RouteStatus).parents[0]?.conditions.find(
    (condition) => condition.type === type,
  )?.message;

describe('rules that both redirect and mirror', () => {
  it.each([
    ['of the rule', `{ filters: [${REDIRECT}, ${MIRROR}] }`],
    ['of a backend', `{ backendRefs: [{ name: shop, port: 80, filters: [${REDIRECT}, ${MIRROR}] }] }`],
  ])(
    'are dropped, which status says, and a route of no other is not accepted: filters %s',
    async (_, rule) => {
      const cp = make();
      const service = "{ group: '', kind: Service, name: shop }";
      await put(
        cp,
        gatewayOf(HTTP),
        SHOP,
        route(`{ parentRefs: [{ name: edge }, ${service}], rules: [${rule}, { ${TO_SHOP} }] }`),
      );
      const dropped = [...TAKEN, 'PartiallyInvalid=True/IncompatibleFilters'];
      expect(saidOfRoute(cp)).toEqual([dropped, dropped]);
      expect(messageOf(cp, 'PartiallyInvalid')).toMatch(/^Dropped Rule 0:/);
      // Of a route that is not accepted it is not said.
      await put(cp, route(`{ parentRefs: [{ name: edge, port: 81 }], rules: [${rule}, { ${TO_SHOP} }] }`));
      expect(saidOfRoute(cp)).toEqual([
        ['Accepted=False/NoMatchingParent', 'ResolvedRefs=True/ResolvedRefs'],
      ]);
      await put(cp, route(`{ parentRefs: [{ name: edge }, ${service}], rules: [${rule}] }`));
      const refused = ['Accepted=False/IncompatibleFilters', 'ResolvedRefs=True/ResolvedRefs'];
      expect(saidOfRoute(cp)).toEqual([refused, refused]);
      expect(Object.keys(said(cp))).toContain('http 0');
      await put(cp, route(`{ parentRefs: [{ name: edge }, ${service}], rules: [{ ${TO_SHOP} }] }`));
      expect(saidOfRoute(cp)).toEqual([TAKEN, TAKEN]);
    },
  );
});

describe('a GRPCRoute with a filter of HTTPRoutes', () => {
  const grpc = (spec: string): string => made('GRPCRoute', spec, 'g');
  const conditionsOf = (cp: ControlPlane): string[][] =>
    (cp.resourceStatus('GRPCRoute/default/g') as RouteStatus).parents.map(({ conditions }) =>
      conditions.map((c) => `${c.type}=${c.status}/${c.reason}`),
    );
  const PARENTS = "parentRefs: [{ name: edge }, { group: '', kind: Service, name: shop }]";

  it.each([
    ['CORS', "cors: { allowOrigins: ['*'] }"],
    ['ExternalAuth', 'externalAuth: { protocol: GRPC, grpc: {}, backendRef: { name: shop, port: 80 } }'],
    ['RequestRedirect', 'requestRedirect: { hostname: a.example }'],
    ['URLRewrite', 'urlRewrite: { hostname: a.example }'],
  ])('is accepted by no parent, attaches nowhere, and says so: %s', async (type, body) => {
    const cp = make();
    const filters = `filters: [{ type: ${type}, ${body} }]`;
    const refused = ['Accepted=False/UnsupportedValue', 'ResolvedRefs=True/ResolvedRefs'];
    for (const rule of [
      `{ ${filters}, ${TO_SHOP} }`,
      `{ backendRefs: [{ name: shop, port: 80, ${filters} }] }`,
    ]) {
      await put(cp, gatewayOf(HTTP), SHOP, grpc(`${PARENTS}, rules: [{ ${TO_SHOP} }, ${rule}]`));
      expect(conditionsOf(cp)).toEqual([refused, refused]);
      const { parents } = cp.resourceStatus('GRPCRoute/default/g') as RouteStatus;
      expect(parents[0]?.conditions[0]?.message).toContain(`no filter of type ${type}`);
      expect(Object.keys(said(cp))).toContain('http 0');
    }
    await put(cp, grpc(`${PARENTS}, rules: [{ ${TO_SHOP} }]`));
    expect(conditionsOf(cp)).toEqual([TAKEN, TAKEN]);
    expect(Object.keys(said(cp))).toContain('http 1');
  });

  it('takes no port and no host from an HTTPRoute', async () => {
    const cp = make();
    const cors = "{ type: CORS, cors: { allowOrigins: ['*'] } }";
    await put(
      cp,
      gatewayOf(HTTP),
      SHOP,
      grpc(`${PARENTS}, rules: [{ filters: [${cors}], ${TO_SHOP} }]`),
      route(`{ ${PARENTS}, rules: [{ ${TO_SHOP} }] }`),
    );
    expect(saidOfRoute(cp)).toEqual([TAKEN, TAKEN]);
    await put(cp, grpc(`${PARENTS}, rules: [{ ${TO_SHOP} }]`));
    expect(saidOfRoute(cp).map(([accepted]) => accepted)).toEqual([
      'Accepted=False/RouteKindConflict',
      'Accepted=False/RouteKindConflict',
    ]);
  });
});

describe('retries of a rule', () => {
  it('beyond those that are made are said to be so', async () => {
    const cp = make();
    const asking = (attempts: number): string =>
      route(`{ ${EDGE}, rules: [{ retry: { attempts: ${attempts} }, ${TO_SHOP} }] }`);
    await put(cp, gatewayOf(HTTP), SHOP, asking(10));
    expect(saidOfRoute(cp)).toEqual([TAKEN]);
    await put(cp, asking(11));
    const proxy = join(cp);
    expect(saidOfRoute(cp)).toEqual([[...TAKEN, 'tulle.dev/RetriesHonoured=False/UnsupportedValue']]);
    expect(messageOf(cp, 'tulle.dev/RetriesHonoured')).toContain('rule 0 asks for 11');
    expect(proxy.has.route.size).toBe(1);
  });

  it('may be for every status that there is', async () => {
    const cp = make();
    const codes = Array.from({ length: 200 }, (_, i) => 400 + i).join(', ');
    await put(
      cp,
      gatewayOf(HTTP),
      SHOP,
      route(`{ ${EDGE}, rules: [{ retry: { codes: [${codes}] }, ${TO_SHOP} }] }`),
    );
    expect(saidOfRoute(cp)).toEqual([TAKEN]);
  });
});

describe('namespaces that a listener selects', () => {
  const NAME = 'kubernetes.io/metadata.name';
  const UNKNOWN = 'tulle.dev/NamespaceLabelsKnown=False/UnsupportedValue';
  it.each([
    [`matchExpressions: [{ key: ${NAME}, operator: Exists }]`, true],
    [`matchExpressions: [{ key: ${NAME}, operator: DoesNotExist }]`, false],
    [`matchExpressions: [{ key: ${NAME}, operator: In, values: [team, b] }]`, true],
    [`matchExpressions: [{ key: ${NAME}, operator: In, values: [b] }]`, false],
    [`matchExpressions: [{ key: ${NAME}, operator: NotIn, values: [b] }]`, true],
    [`matchExpressions: [{ key: ${NAME}, operator: NotIn, values: [team] }]`, false],
    [`matchLabels: { ${NAME}: team }`, true],
    ['', true],
    ['matchLabels: { stage: live }', 'unknown'],
    ['matchExpressions: [{ key: stage, operator: NotIn, values: [test] }]', 'unknown'],
    ['matchExpressions: [{ key: stage, operator: DoesNotExist }]', 'unknown'],
    [`matchLabels: { ${NAME}: team, stage: live }`, 'unknown'],
  ] as const)(
    'are those of { %s }: %s; by labels that are not known none is, as status says',
    async (selector, taken) => {
      const cp = make();
      await put(
        cp,
        SHOP,
        gatewayOf(
          `{ name: http, port: 80, protocol: HTTP, allowedRoutes: { namespaces: { from: Selector, selector: { ${selector} } } } }`,
        ),
        route(
          `{ parentRefs: [{ name: edge, namespace: default }], rules: [{ filters: [${REDIRECT}] }] }`,
          'team',
        ),
      );
      expect(saidOfRoute(cp, 'team')[0]?.[0]).toBe(
        taken === true ? 'Accepted=True/Accepted' : 'Accepted=False/NotAllowedByListeners',
      );
      const ofListener = said(cp)[`http ${taken === true ? 1 : 0}`] ?? [];
      expect(ofListener.includes(UNKNOWN)).toBe(taken === 'unknown');
    },
  );

  it('are said of ListenerSets at the Gateway', async () => {
    const cp = make();
    await put(
      cp,
      gatewayOf(HTTP).replace(
        '  listeners:',
        '  allowedListeners: { namespaces: { from: Selector, selector: { matchLabels: { stage: live } } } }\n  listeners:',
      ),
      made(
        'ListenerSet',
        'parentRef: { name: edge }, listeners: [{ name: a, port: 81, protocol: HTTP }]',
        's',
      ),
    );
    expect(said(cp)['']).toContain(UNKNOWN);
  });
});
