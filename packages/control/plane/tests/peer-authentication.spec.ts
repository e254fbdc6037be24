import type { FilterChain } from '@tulle/model';
import { readResources } from '@tulle/resources';
import { afterEach, describe, expect, it } from 'vitest';
import { createApi, createControlPlane, type ControlPlane, type SidecarMetadata } from '../src/index.ts';
import { joiningNode } from './joining-node.ts';

const open: ControlPlane[] = [];
afterEach(async () => {
  for (const plane of open.splice(0)) await plane.close();
});

const policy = (name: string, namespace: string, spec: string): string =>
  `apiVersion: tulle.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n---\n`;

const ports = [
  { port: 8080, inboundPort: 15006 },
  { port: 5432, appProtocol: 'tcp' as const, inboundPort: 15007 },
];

/** A workload `orders` with an HTTP port 8080 and a TCP port 5432, and what it gets. */
function orders() {
  const plane = createControlPlane({ trustDomain: 'mesh.local' });
  open.push(plane);
  const handle = plane.provider.open(joiningNode('orders', { ports }));
  return {
    plane,
    /** Its sidecar says something of itself. */
    says: (metadata: Partial<SidecarMetadata>) =>
      handle.described?.(joiningNode('orders', { ports, ...metadata })),
    async apply(yaml: string) {
      const read = await readResources([{ text: yaml, file: 'f' }]);
      expect(read.diagnostics).toEqual([]);
      plane.apply(
        read.resources.map(({ resource }) => resource),
        [],
      );
      plane.flush();
    },
    remove(key: string) {
      plane.apply([], [key]);
      plane.flush();
    },
    /** Ways in, by port: chain name, what it takes, whether callers must prove who they are. */
    chains(): unknown {
      const { listeners } = handle.current().config;
      return Object.fromEntries(
        listeners.map(({ address, filterChains }) => [
          'port' in address ? address.port : 0,
          filterChains.map((chain: FilterChain) =>
            [chain.name, chain.match?.transport ?? 'any', chain.tls?.clientCertificate ?? 'none'].join(' '),
          ),
        ]),
      );
    },
  };
}

const STRICT = ['mesh any require'];
const PERMISSIVE = ['mesh tls require', 'plain plain none'];

describe('PeerAuthentication', () => {
  it('is strict without one', () => {
    expect(orders().chains()).toEqual({ 15006: STRICT, 15007: STRICT });
  });

  it('lets plain text in where it is permissive, through the same filters, and shuts it out again', async () => {
    const { apply, remove, chains } = orders();
    await apply(policy('move', 'default', '{ mtls: { mode: PERMISSIVE } }'));
    expect(chains()).toEqual({ 15006: PERMISSIVE, 15007: PERMISSIVE });
    await apply(policy('move', 'default', '{ mtls: { mode: STRICT } }'));
    expect(chains()).toEqual({ 15006: STRICT, 15007: STRICT });
    await apply(policy('move', 'default', '{ portLevelMtls: { "8080": { mode: PERMISSIVE } } }'));
    expect(chains()).toEqual({ 15006: PERMISSIVE, 15007: STRICT });
    remove('PeerAuthentication/default/move');
    expect(chains()).toEqual({ 15006: STRICT, 15007: STRICT });
  });

  it('goes by port before the whole, by label before the namespace, by that before the mesh, then by name', async () => {
    const { apply, chains } = orders();
    await apply(policy('mesh', 'tulle-system', '{ mtls: { mode: PERMISSIVE } }'));
    expect(chains()).toEqual({ 15006: PERMISSIVE, 15007: PERMISSIVE });
    await apply(policy('here', 'default', '{ mtls: { mode: STRICT } }'));
    expect(chains()).toEqual({ 15006: STRICT, 15007: STRICT });
    await apply(
      policy(
        'b',
        'default',
        '{ selector: { matchLabels: { app: orders } }, portLevelMtls: { "5432": { mode: PERMISSIVE } } }',
      ),
    );
    expect(chains()).toEqual({ 15006: STRICT, 15007: PERMISSIVE });
    await apply(
      policy('a', 'default', '{ selector: { matchLabels: { app: orders } }, mtls: { mode: STRICT } }') +
        policy('c', 'default', '{ selector: { matchLabels: { app: web } }, mtls: { mode: PERMISSIVE } }') +
        policy('other', 'elsewhere', '{ mtls: { mode: PERMISSIVE } }'),
    );
    expect(chains()).toEqual({ 15006: STRICT, 15007: STRICT });
  });

  it('lets no plain text into a TCP port for which a policy names callers: who proves nothing is none of them', async () => {
    const { apply, chains } = orders();
    await apply(
      policy('move', 'default', '{ mtls: { mode: PERMISSIVE } }') +
        'apiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { action: ALLOW, rules: [{ from: { serviceAccounts: [web] } }] }\n',
    );
    expect(chains()).toEqual({ 15006: PERMISSIVE, 15007: STRICT });
  });
});

describe('a TCP port that takes plain text', () => {
  it.each([
    ['any proven caller', "[{ from: { identities: ['*'] } }]", STRICT],
    [
      'any proven caller, or one by name',
      "[{ from: { serviceAccounts: [web] } }, { from: { identities: ['*'] } }]",
      STRICT,
    ],
    ['nobody', '[]', STRICT],
    ['any proven caller, or anybody', "[{ from: { identities: ['*'] } }, {}]", PERMISSIVE],
  ])('where a policy allows %s', async (_who, rules, expected) => {
    const { apply, chains } = orders();
    await apply(
      policy('move', 'default', '{ mtls: { mode: PERMISSIVE } }') +
        `apiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { action: ALLOW, rules: ${rules} }\n`,
    );
    expect(chains()).toEqual({ 15006: PERMISSIVE, 15007: expected });
  });
});

describe('who comes in plain text', () => {
  const client = { address: '192.0.2.7', connections: 3, lastSeenMs: 1_700_000_000_000 };

  it('is told by sidecars on their stream, and shown by port beside what is asked; nothing is computed for it', async () => {
    const { plane, apply, says } = orders();
    await apply(policy('move', 'default', '{ portLevelMtls: { "8080": { mode: PERMISSIVE } } }'));
    const before = plane.status().proxies[0]?.changeId;
    says({ plaintext: [{ port: 8080, clients: [client], others: 2 }] });
    expect(plane.status().proxies[0]?.changeId).toBe(before);
    const { app } = createApi({ controlPlane: plane });
    const answer = await app.inject({ url: '/api/v1/mtls', headers: { host: 'localhost' } });
    expect(answer.json()).toEqual({
      ports: [
        expect.objectContaining({ port: 5432, mode: 'STRICT', clients: [], others: 0 }),
        {
          proxy: 'spiffe://mesh.local/ns/default/sa/orders~orders-1',
          workload: 'orders',
          namespace: 'default',
          port: 8080,
          mode: 'PERMISSIVE',
          policy: 'default/move',
          confirmed: false,
          clients: [client],
          others: 2,
        },
      ],
    });
    await app.close();
    says({});
    expect(plane.mtls().map(({ clients }) => clients)).toEqual([[], []]);
  });

  it.each([
    ['no list', { port: 1 }],
    ['a client without address', [{ port: 8080, clients: [{ connections: 1, lastSeenMs: 1 }], others: 0 }]],
    ['a name for an address', [{ port: 8080, clients: [{ ...client, address: 'evil' }], others: 0 }]],
    ['too many', [{ port: 8080, clients: Array.from({ length: 101 }, () => client), others: 0 }]],
    ['a negative number', [{ port: 8080, clients: [{ ...client, connections: -1 }], others: 0 }]],
  ])('is refused where it is %s', (_what, plaintext) => {
    const { says } = orders();
    expect(() => says({ plaintext } as never)).toThrow(/metadata\/plaintext/);
  });
});
