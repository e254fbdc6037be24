import { readFileSync } from 'node:fs';
import { readResources, resourceKey, refOf } from '@tulle/resources';
import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, PolicyStatus } from '../src/index.ts';
import { clock, closeAll, GATEWAY, join, make, put, route } from './gateway-mesh.ts';
import { nodeOf } from './nodes.ts';

afterEach(closeAll);

/** As JSON has it, of a file with another Service. */
const CA = /ca\.crt: ("-----BEGIN[^"]*")/.exec(
  readFileSync(new URL('fixtures/egress.yaml', import.meta.url), 'utf8'),
)?.[1];

const PARTNER = `
apiVersion: v1
kind: Service
metadata: { name: partner }
spec: { type: ExternalName, externalName: partner.example.org, ports: [{ name: https, port: 443 }, { name: alt, port: 8443 }] }
`;

const CONFIG_MAP = `
apiVersion: v1
kind: ConfigMap
metadata: { name: partner-ca }
data: { ca.crt: ${CA} }
`;

const policy = (
  name: string,
  {
    refs = '{ group: "", kind: ConfigMap, name: partner-ca }',
    target = 'name: partner',
    created,
  }: { refs?: string; target?: string; created?: string } = {},
): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: ${name}${created === undefined ? '' : `, creationTimestamp: '${created}'`} }
spec:
  targetRefs: [{ group: '', kind: Service, ${target} }]
  validation: { hostname: partner.example.org, caCertificateRefs: [${refs}] }
`;

const statusOf = (cp: ControlPlane, name: string): PolicyStatus =>
  cp.resourceStatus(`BackendTLSPolicy/default/${name}`) as PolicyStatus;

/** By ancestor, `Type=Status/Reason`. */
const said = (cp: ControlPlane, name: string): Record<string, string[]> =>
  Object.fromEntries(
    statusOf(cp, name).ancestors.map(({ ancestorRef, conditions }) => [
      `${ancestorRef.kind} ${ancestorRef.name}${ancestorRef.sectionName === undefined ? '' : ` ${ancestorRef.sectionName}`}`,
      conditions.map((c) => `${c.type}=${c.status}/${c.reason}`),
    ]),
  );

const FINE = ['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs'];
const CONFLICTED = ['Accepted=False/Conflicted', 'ResolvedRefs=True/ResolvedRefs'];

async function remove(cp: ControlPlane, yaml: string): Promise<void> {
  const { resources } = await readResources([{ text: yaml, file: 'f' }]);
  cp.apply(
    [],
    resources.map(({ resource }) => resourceKey(refOf(resource))),
  );
  cp.flush();
}

describe('what is said of a BackendTLSPolicy', () => {
  it('is said at its Service, and at each Gateway that leads there', async () => {
    const cp = make();
    await put(cp, PARTNER, CONFIG_MAP, policy('p'), GATEWAY);
    expect(said(cp, 'p')).toEqual({ 'Service partner': FINE });
    const led = route(
      '{ parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: partner, port: 443 }] }] }',
    );
    await put(cp, led);
    expect(said(cp, 'p')).toEqual({ 'Service partner': FINE, 'Gateway edge': FINE });
    expect(statusOf(cp, 'p').ancestors[1]).toMatchObject({
      ancestorRef: {
        group: 'gateway.networking.k8s.io',
        kind: 'Gateway',
        namespace: 'default',
        name: 'edge',
      },
      controllerName: 'tulle.dev/gateway-controller',
    });
    await put(cp, GATEWAY.replace('gatewayClassName: tulle', 'gatewayClassName: other'));
    expect(said(cp, 'p')).toEqual({ 'Service partner': FINE });
  });

  it.each([
    [
      'there is none',
      '{ group: "", kind: ConfigMap, name: gone }',
      'InvalidCACertificateRef',
      /default\/gone/,
    ],
    [
      'it has no certificate',
      '{ group: "", kind: ConfigMap, name: empty }',
      'InvalidCACertificateRef',
      /ca\.crt/,
    ],
    ['it is of another kind', '{ group: "", kind: Secret, name: partner-ca }', 'InvalidKind', /kind Secret/],
    [
      'it is of another group',
      '{ group: cert-manager.io, kind: ConfigMap, name: partner-ca }',
      'InvalidKind',
      /ConfigMap\.cert-manager\.io/,
    ],
  ])('names the reference to a CA certificate that leads to none: %s', async (_, ref, reason, message) => {
    const cp = make();
    const empty = CONFIG_MAP.replace('partner-ca', 'empty').replace('ca.crt', 'other');
    await put(cp, PARTNER, CONFIG_MAP, empty, policy('p', { refs: ref }));
    expect(said(cp, 'p')).toEqual({
      'Service partner': ['Accepted=False/NoValidCACertificate', `ResolvedRefs=False/${reason}`],
    });
    expect(statusOf(cp, 'p').ancestors[0]?.conditions[1]?.message).toMatch(message);
    // Where another one is there, that one is believed.
    await put(cp, policy('p', { refs: `${ref}, { group: "", kind: ConfigMap, name: partner-ca }` }));
    expect(said(cp, 'p')).toEqual({
      'Service partner': ['Accepted=True/Accepted', `ResolvedRefs=False/${reason}`],
    });
  });

  it('of two for one target and port name the older one holds, then the first by name; the other is Conflicted', async () => {
    const cp = make();
    await put(cp, PARTNER, CONFIG_MAP, policy('a'), policy('b'));
    await put(cp, policy('port-a', { target: 'name: partner, sectionName: alt' }));
    await put(cp, policy('port-b', { target: 'name: partner, sectionName: alt' }));
    expect(said(cp, 'a')).toEqual({ 'Service partner': FINE });
    expect(said(cp, 'b')).toEqual({ 'Service partner': CONFLICTED });
    // One for the port and one for the whole Service are not in each other's way.
    expect(said(cp, 'port-a')).toEqual({ 'Service partner alt': FINE });
    expect(said(cp, 'port-b')).toEqual({ 'Service partner alt': CONFLICTED });
    await put(cp, policy('b', { created: '2024-01-01T00:00:00Z' }));
    expect([said(cp, 'a'), said(cp, 'b')]).toEqual([
      { 'Service partner': CONFLICTED },
      { 'Service partner': FINE },
    ]);
    expect(statusOf(cp, 'a').ancestors[0]?.conditions[0]?.message).toContain('BackendTLSPolicy default/b');
    await remove(cp, policy('b'));
    expect(said(cp, 'a')).toEqual({ 'Service partner': FINE });
  });

  it('says that a target is not there, or needs none', async () => {
    const cp = make();
    await put(
      cp,
      PARTNER.replace('type: ExternalName, externalName: partner.example.org', 'selector: { app: a }'),
      CONFIG_MAP,
      policy('inside'),
      policy('nowhere', { target: 'name: nowhere' }),
      policy('port', { target: 'name: partner, sectionName: nothing' }),
    );
    expect(said(cp, 'inside')['Service partner']?.[0]).toBe('Accepted=False/Invalid');
    expect(said(cp, 'nowhere')['Service nowhere']?.[0]).toBe('Accepted=False/TargetNotFound');
    expect(said(cp, 'port')['Service partner nothing']?.[0]).toBe('Accepted=False/TargetNotFound');
  });

  it('does nothing for a target that is no Service, and says so', async () => {
    const cp = make();
    await put(cp, PARTNER, CONFIG_MAP, policy('p').replace("group: ''", 'group: a.example'));
    expect(said(cp, 'p')).toEqual({
      'Service partner': ['Accepted=False/TargetNotFound', 'ResolvedRefs=True/ResolvedRefs'],
    });
    expect(statusOf(cp, 'p').ancestors[0]?.ancestorRef.group).toBe('a.example');
    const tlsOf = (): unknown => {
      const node = nodeOf({
        workload: 'web',
        upstreams: [{ service: 'partner', localPort: 9001 }],
      });
      join(cp, node);
      return cp.proxyConfig(node.id)?.clusters.find(({ name }) => name.includes('partner'))?.tls;
    };
    expect(tlsOf()).toBeUndefined();
    // It is in nobody's way either.
    await put(cp, policy('q'));
    expect(said(cp, 'q')).toEqual({ 'Service partner': FINE });
    expect(tlsOf()).toMatchObject({ trust: { kind: 'inline' } });
  });

  it('believes nobody by CAs of a name that is not known, and says so', async () => {
    const cp = make();
    const known = (name: string): string =>
      policy('p').replace(/caCertificateRefs: .*\]/, `wellKnownCACertificates: ${name}`);
    await put(cp, PARTNER, known('a.example/internal'));
    expect(said(cp, 'p')).toEqual({
      'Service partner': ['Accepted=False/Invalid', 'ResolvedRefs=True/ResolvedRefs'],
    });
    expect(statusOf(cp, 'p').ancestors[0]?.conditions[0]?.message).toContain('a.example/internal');
    const node = nodeOf({ workload: 'web', upstreams: [{ service: 'partner', localPort: 9001 }] });
    join(cp, node);
    const tls = (): unknown =>
      cp.proxyConfig(node.id)?.clusters.find(({ name }) => name.includes('partner'))?.tls;
    expect(tls()).toMatchObject({ trust: { kind: 'mesh' }, allowedIds: [] });
    await put(cp, known('System'));
    expect(said(cp, 'p')).toEqual({ 'Service partner': FINE });
    expect(tls()).toMatchObject({ trust: { kind: 'system' } });
  });

  it('knows of which generation it speaks, and since when a condition is as it is', async () => {
    const cp = make();
    await put(cp, PARTNER, policy('p'));
    const accepted = (): unknown => statusOf(cp, 'p').ancestors[0]?.conditions[0];
    expect(accepted()).toMatchObject({ status: 'False', observedGeneration: 1 });
    clock.advance(5_000);
    await put(cp, CONFIG_MAP);
    const at = new Date(clock.epochMs()).toISOString().replace(/\.\d+Z/, 'Z');
    clock.advance(5_000);
    expect(accepted()).toMatchObject({ status: 'True', observedGeneration: 1, lastTransitionTime: at });
    await put(cp, policy('p').replace('hostname: partner', 'hostname: other'));
    expect(accepted()).toMatchObject({ status: 'True', observedGeneration: 2, lastTransitionTime: at });
  });
});
