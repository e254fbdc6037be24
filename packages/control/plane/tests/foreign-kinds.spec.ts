import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, PolicyStatus, RouteStatus } from '../src/index.ts';
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
  GATEWAY,
} from './gateway-mesh.ts';

afterEach(closeAll);

const RESOLVED = 'ResolvedRefs=True/ResolvedRefs';
const ACCEPTED = 'Accepted=True/Accepted';
const INVALID = [[ACCEPTED, 'ResolvedRefs=False/InvalidKind']];

const messageOf = (cp: ControlPlane, key: string): string | undefined =>
  (cp.resourceStatus(key) as RouteStatus).parents[0]?.conditions.find(({ status }) => status === 'False')
    ?.message;

describe('what names a kind that is not there', () => {
  const TO_SHOP = 'backendRefs: [{ name: shop, port: 80 }]';
  const WAF = '{ type: ExtensionRef, extensionRef: { group: a.example, kind: Waf, name: w } }';

  it.each([
    ['an ExtensionRef of a rule', `filters: [${WAF}], ${TO_SHOP}`, 'Waf.a.example'],
    ['one of a backend', `backendRefs: [{ name: shop, port: 80, filters: [${WAF}] }]`, 'Waf.a.example'],
    [
      'a backend',
      'backendRefs: [{ group: multicluster.x-k8s.io, kind: ServiceImport, name: shop }]',
      'ServiceImport.multicluster.x-k8s.io',
    ],
    [
      'where copies go',
      `filters: [{ type: RequestMirror, requestMirror: { backendRef: { kind: Pod, name: shop } } }], ${TO_SHOP}`,
      'of kind Pod',
    ],
    [
      'whom a backend asks',
      'backendRefs: [{ name: shop, port: 80, filters: [{ type: ExternalAuth, externalAuth: { protocol: GRPC, grpc: {}, backendRef: { kind: Pod, name: shop } } }] }]',
      'of kind Pod',
    ],
  ])('is said of the route, and is no Service of that name: %s', async (_, rule, says) => {
    const cp = make();
    await put(cp, GATEWAY, SHOP, route(`{ parentRefs: [{ name: edge }], rules: [{ ${rule} }] }`));
    join(cp);
    expect(saidOfRoute(cp)).toEqual(INVALID);
    expect(messageOf(cp, 'HTTPRoute/default/shop')).toContain(says);
    await put(cp, route(`{ parentRefs: [{ name: edge }], rules: [{ ${TO_SHOP} }] }`));
    expect(saidOfRoute(cp)).toEqual([[ACCEPTED, RESOLVED]]);
  });

  it('a parent is left to its controller: nothing is said there', async () => {
    const cp = make();
    await put(
      cp,
      GATEWAY,
      SHOP,
      route(
        `{ parentRefs: [{ group: a.example, kind: Gateway, name: edge }, { kind: Mesh, name: edge }, { name: edge }], rules: [{ ${TO_SHOP} }] }`,
      ),
    );
    expect(saidOfRoute(cp)).toEqual([[ACCEPTED, RESOLVED]]);
    expect((cp.resourceStatus('HTTPRoute/default/shop') as RouteStatus).parents[0]?.parentRef).toEqual({
      name: 'edge',
    });
  });

  it.each(['TLSRoute', 'TCPRoute', 'UDPRoute'])('a Service is no parent of a %s', async (kind) => {
    const cp = make();
    const hostnames = kind === 'TLSRoute' ? 'hostnames: [a.example], ' : '';
    await put(
      cp,
      SHOP,
      made(
        kind,
        `parentRefs: [{ group: '', kind: Service, name: shop }], ${hostnames}rules: [{ ${TO_SHOP} }]`,
        'c',
      ),
    );
    const { parents } = cp.resourceStatus(`${kind}/default/c`) as RouteStatus;
    expect(parents[0]?.conditions[0]).toMatchObject({
      type: 'Accepted',
      status: 'False',
      reason: 'UnsupportedValue',
      message: expect.stringContaining(`${kind}s are for Gateways`) as string,
    });
  });

  it('a certificate is not one of that name, and CAs are believed of ConfigMaps alone', async () => {
    const cp = make();
    const secure = (ref: string): string =>
      gatewayOf(`{ name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [${ref}] } }`);
    await put(cp, secure('{ group: a.example, kind: Vault, name: shop }'), SHOP);
    const proxy = join(cp);
    expect(said(cp)['https 0']).toContain('ResolvedRefs=False/InvalidCertificateRef');
    expect([...proxy.has.listener.keys()]).toEqual([]);
    await put(cp, secure('{ name: shop }'));
    proxy.settle();
    expect(said(cp)['https 0']).toContain(RESOLVED);
    expect([...proxy.has.listener.keys()]).toEqual(['gateway_127.0.0.1_443']);
    const asking = (tls: string): string =>
      secure('{ name: shop }').replace('  listeners:', `  tls: ${tls}\n  listeners:`);
    const vault = '{ group: a.example, kind: Vault, name: shop }';
    await put(cp, asking(`{ frontend: { default: { validation: { caCertificateRefs: [${vault}] } } } }`));
    proxy.settle();
    expect(said(cp)['https 0']).toContain('ResolvedRefs=False/InvalidCACertificateKind');
    expect(said(cp)['https 0']).toContain('Accepted=False/NoValidCACertificate');
    expect([...proxy.has.listener.keys()]).toEqual([]);
    await put(cp, asking(`{ backend: { clientCertificateRef: ${vault} } }`));
    expect(said(cp)['']).toContain('ResolvedRefs=False/InvalidClientCertificateRef');
  });
});

describe('options of a BackendTLSPolicy', () => {
  it('are said not to be known, and the policy holds without them', async () => {
    const cp = make();
    const policy = (options: string): string =>
      made(
        'BackendTLSPolicy',
        `targetRefs: [{ group: '', kind: Service, name: out }], validation: { hostname: a.example, wellKnownCACertificates: System }${options}`,
        'p',
      );
    await put(
      cp,
      'apiVersion: v1\nkind: Service\nmetadata: { name: out }\nspec: { type: ExternalName, externalName: a.example, ports: [{ port: 443 }] }\n',
      policy(', options: { a.example/curves: p256, a.example/ciphers: x }'),
    );
    const conditions = (): PolicyStatus['ancestors'][number]['conditions'] =>
      (cp.resourceStatus('BackendTLSPolicy/default/p') as PolicyStatus).ancestors[0]?.conditions ?? [];
    expect(conditions().map(({ type, status, reason }) => `${type}=${status}/${reason}`)).toEqual([
      ACCEPTED,
      RESOLVED,
      'tulle.dev/OptionsHonoured=False/UnknownOptions',
    ]);
    expect(conditions()[2]?.message).toContain('a.example/curves, a.example/ciphers');
    await put(cp, policy(''));
    expect(conditions()).toHaveLength(2);
  });
});
