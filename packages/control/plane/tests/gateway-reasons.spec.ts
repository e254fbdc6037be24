import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, GatewayStatus, ListenerSetStatus } from '../src/index.ts';
import { closeAll, FINE, GATEWAY, gatewayNode, gatewayOf, join, make, put, said } from './gateway-mesh.ts';
import { simulatedProxy } from './simulated-proxy.ts';

afterEach(closeAll);

const asking = (spec: string, gateway = GATEWAY): string =>
  gateway.replace('  listeners:', `  ${spec}\n  listeners:`);
const statusOf = (cp: ControlPlane): GatewayStatus =>
  cp.resourceStatus('Gateway/default/edge') as GatewayStatus;
const SETS_TOO = 'allowedListeners: { namespaces: { from: Same } }';
const setOf = (...listeners: string[]): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: more }
spec: { parentRef: { name: edge }, listeners: [${listeners.join(', ')}] }
`;
const https = (name: string, hostname: string | undefined, certificate: string, port = 443): string =>
  `{ name: ${name}, port: ${port}, protocol: HTTPS, ${hostname === undefined ? '' : `hostname: '${hostname}', `}tls: { certificateRefs: [{ name: ${certificate} }] } }`;

/** `Type=Status/Reason` and the message of the conditions of a type that listeners have, by their names. */
const ofType = (status: GatewayStatus | ListenerSetStatus, type: string): Record<string, string[]> =>
  Object.fromEntries(
    status.listeners.flatMap((l) =>
      l.conditions.flatMap((c) =>
        c.type === type ? [[l.name, [`${c.status}/${c.reason}`, c.message]] as const] : [],
      ),
    ),
  ) as Record<string, string[]>;

describe('callers who prove nothing', () => {
  const CA = "caCertificateRefs: [{ group: '', kind: ConfigMap, name: ca }]";
  const insecure = `validation: { ${CA}, mode: AllowInsecureFallback }`;

  it.each([
    ['by default', `{ default: { ${insecure} } }`, 'default'],
    [
      'at a port alone',
      `{ default: { validation: { ${CA} } }, perPort: [{ port: 443, tls: { ${insecure} } }] }`,
      'port 443',
    ],
    ['nowhere', `{ default: { validation: { ${CA}, mode: AllowValidOnly } } }`, undefined],
  ])('are let in %s, which the Gateway says as long as that is so', async (_, frontend, where) => {
    const cp = make();
    await put(cp, asking(`tls: { frontend: ${frontend} }`));
    const found = statusOf(cp).conditions.filter((c) => c.type === 'InsecureFrontendValidationMode');
    expect(found.map((c) => `${c.status}/${c.reason}`)).toEqual(
      where === undefined ? [] : ['True/ConfigurationChanged'],
    );
    expect(found[0]?.message.includes(`(spec.tls.frontend: ${where})`) ?? false).toBe(where !== undefined);
    await put(cp, GATEWAY);
    expect(statusOf(cp).conditions.map((c) => c.type)).not.toContain('InsecureFrontendValidationMode');
  });
});

describe('listeners of TLS that have something in common', () => {
  const type = 'OverlappingTLSConfig';

  it('say so of names, and those that have nothing say nothing', async () => {
    const cp = make();
    await put(
      cp,
      gatewayOf(
        https('name', 'foo.example.com', 'one'),
        https('apart', 'foo.example.org', 'two'),
        https('wild', '*.example.com', 'three'),
        https('elsewhere', 'foo.example.com', 'four', 8443),
        "{ name: clear, port: 80, protocol: HTTP, hostname: '*.example.com' }",
      ),
    );
    expect(ofType(statusOf(cp), type)).toEqual({
      name: ['True/OverlappingHostnames', expect.stringMatching(/names of wild on port 443/)],
      wild: ['True/OverlappingHostnames', expect.stringMatching(/names of name on port 443/)],
    });
    await put(cp, gatewayOf(https('name', 'foo.example.com', 'one'), https('any', undefined, 'two')));
    expect(Object.keys(ofType(statusOf(cp), type))).toEqual(['name', 'any']);
    await put(cp, gatewayOf(https('name', 'foo.example.com', 'one')));
    expect(ofType(statusOf(cp), type)).toEqual({});
  });

  it('say so of certificates, also where names have in common what certificates have', async () => {
    const cp = make();
    await put(
      cp,
      gatewayOf(
        https('one', 'one.example.com', 'shop'),
        https('two', 'two.example.com', 'shop'),
        https('wild', '*.example.com', 'shop'),
        https('other', 'a.example.com', 'other'),
      ),
    );
    expect(ofType(statusOf(cp), type)).toEqual({
      one: ['True/OverlappingCertificates', expect.stringMatching(/default\/shop is also that of two, wild/)],
      two: ['True/OverlappingCertificates', expect.stringMatching(/of one, wild/)],
      wild: ['True/OverlappingCertificates', expect.stringMatching(/of one, two/)],
      other: ['True/OverlappingHostnames', expect.stringMatching(/names of wild/)],
    });
  });

  it('of a ListenerSet do not learn the names of others', async () => {
    const cp = make();
    await put(
      cp,
      asking(SETS_TOO, gatewayOf(https('secret', '*.example.com', 'one'))),
      setOf(https('mine', 'a.example.com', 'two')),
    );
    const set = cp.resourceStatus('ListenerSet/default/more') as ListenerSetStatus;
    const [reason, message] = ofType(set, type).mine ?? [];
    expect(reason).toBe('True/OverlappingHostnames');
    expect(message).toContain('another listener of the Gateway or of its ListenerSets');
    expect(message).not.toContain('secret');
  });
});

describe('a port that a process cannot have', () => {
  const refused = async (cp: ControlPlane, refusal: string, ...resources: string[]): Promise<void> => {
    await put(cp, ...resources);
    const proxy = simulatedProxy(() => cp, gatewayNode());
    proxy.refuses.add('listener gateway_127.0.0.1_80');
    proxy.refusal = refusal;
    proxy.connect();
    proxy.settle();
  };
  const IN_USE = 'cannot listen on 127.0.0.1:80: EADDRINUSE, another process listens there';

  it('is said of its listener, and the others are served', async () => {
    const cp = make();
    await refused(cp, IN_USE, GATEWAY);
    expect(said(cp)).toEqual({
      '': ['Accepted=True/ListenersNotValid', 'Programmed=True/Programmed', 'ResolvedRefs=True/ResolvedRefs'],
      'http 0': ['Accepted=False/PortUnavailable', ...FINE.slice(1), 'Programmed=False/Invalid'],
      'https 0': [...FINE, 'Programmed=True/Programmed'],
    });
    expect(ofType(statusOf(cp), 'Accepted').http?.[1]).toContain(`edge~1 refuses it: ${IN_USE}`);
  });

  it('is said of a listener of a ListenerSet twice', async () => {
    const cp = make();
    const own = gatewayOf('{ name: own, port: 81, protocol: HTTP }');
    await refused(cp, IN_USE, asking(SETS_TOO, own), setOf('{ name: mine, port: 80, protocol: HTTP }'));
    const set = cp.resourceStatus('ListenerSet/default/more') as ListenerSetStatus;
    expect(set.conditions.map((c) => `${c.type}=${c.status}/${c.reason}`)).toEqual([
      'Accepted=False/ListenersNotValid',
      'Programmed=False/PortUnavailable',
    ]);
    expect(ofType(set, 'Accepted').mine?.[0]).toBe('False/PortUnavailable');
    expect(ofType(set, 'Programmed').mine?.[0]).toBe('False/PortUnavailable');
  });

  it('is nothing to a ListenerSet whose listener a process refuses for another reason', async () => {
    const cp = make();
    const own = gatewayOf('{ name: own, port: 81, protocol: HTTP }');
    await refused(
      cp,
      'no filter of that name',
      asking(SETS_TOO, own),
      setOf('{ name: mine, port: 80, protocol: HTTP }'),
    );
    const set = cp.resourceStatus('ListenerSet/default/more') as ListenerSetStatus;
    expect(set.conditions.map((c) => `${c.type}=${c.status}/${c.reason}`)).toEqual([
      'Accepted=True/Accepted',
      'Programmed=False/Invalid',
    ]);
    expect(set.conditions[1]?.message).toContain('no filter of that name');
  });

  it.each([
    [
      'an address that the machine lacks',
      'cannot listen on 127.0.0.1:80: EADDRNOTAVAIL, this machine has no such address',
    ],
    ['anything else that is refused', 'no filter of that name'],
  ])('is not %s', async (_, refusal) => {
    const cp = make();
    await refused(cp, refusal, GATEWAY);
    expect(said(cp)['http 0']).toEqual([...FINE, 'Programmed=False/Invalid']);
  });
});

describe('kinds of routes that a listener asks for', () => {
  const asked = (...kinds: string[]): string =>
    gatewayOf(
      `{ name: http, port: 80, protocol: HTTP, allowedRoutes: { kinds: [${kinds.map((kind) => `{ ${kind} }`).join(', ')}] } }`,
    );
  const kindsOf = (cp: ControlPlane): string[] =>
    statusOf(cp).listeners[0]?.supportedKinds.map(({ kind }) => kind) ?? [];
  const WRONG = 'ResolvedRefs=False/InvalidRouteKinds';

  it('and that are not served are said so; where one is, the listener is served for that', async () => {
    const cp = make();
    await put(cp, asked('kind: HTTPRoute', 'kind: TCPRoute', 'group: a.example, kind: GRPCRoute'));
    const proxy = join(cp);
    expect(kindsOf(cp)).toEqual(['HTTPRoute']);
    expect(said(cp)['http 0']).toEqual([...FINE.slice(0, 2), WRONG, 'Programmed=True/Programmed']);
    expect(ofType(statusOf(cp), 'ResolvedRefs').http?.[1]).toContain('TCPRoute, GRPCRoute');
    await put(cp, asked('kind: TCPRoute'));
    proxy.settle();
    expect(kindsOf(cp)).toEqual([]);
    expect(said(cp)['http 0']).toEqual([...FINE.slice(0, 2), WRONG, 'Programmed=False/Invalid']);
    expect(proxy.has.listener.size).toBe(0);
  });
});

describe('a Gateway', () => {
  it('with an address of a type that is not supported is served by nobody, which it says', async () => {
    const cp = make();
    await put(cp, asking('addresses: [{ value: 127.0.0.1 }, { type: Hostname, value: a.example }]'));
    const proxy = join(cp);
    expect(said(cp)['']).toEqual([
      'Accepted=False/UnsupportedAddress',
      'Programmed=False/Invalid',
      'ResolvedRefs=True/ResolvedRefs',
    ]);
    expect(statusOf(cp).conditions[0]?.message).toContain('type Hostname');
    expect(proxy.has.listener.size).toBe(0);
    await put(cp, asking('addresses: [{ value: 127.0.0.1 }]'));
    proxy.settle();
    expect(said(cp)['']?.[0]).toBe('Accepted=True/Accepted');
    expect(proxy.has.listener.size).toBe(2);
  });

  it('says which of its listeners refer to what is not there, after its own certificate for backends', async () => {
    const cp = make();
    const lost = GATEWAY.replace('{ name: shop }', '{ name: lost }');
    await put(cp, lost);
    join(cp);
    const resolved = (): unknown[] =>
      statusOf(cp).conditions.flatMap((c) =>
        c.type === 'ResolvedRefs' ? [`${c.status}/${c.reason}`, c.message] : [],
      );
    expect(resolved()).toEqual(['False/ListenersNotResolved', 'not resolved: https']);
    const backend = (name: string): string => `tls: { backend: { clientCertificateRef: { name: ${name} } } }`;
    await put(cp, asking(backend('lost'), lost));
    expect(resolved()[0]).toBe('False/InvalidClientCertificateRef');
    await put(cp, asking(backend('shop'), lost));
    expect(resolved()[0]).toBe('False/ListenersNotResolved');
    await put(cp, asking(backend('shop')));
    expect(resolved()[0]).toBe('True/ResolvedRefs');
    await put(cp, GATEWAY);
    expect(resolved()[0]).toBe('True/ResolvedRefs');
  });
});
