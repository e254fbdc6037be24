import type { FilterChain } from '@tulle/model';
import { readResources } from '@tulle/resources';
import { afterEach, describe, expect, it } from 'vitest';
import { createControlPlane, type ControlPlane } from '../src/index.ts';
import { joiningNode } from './joining-node.ts';

const open: ControlPlane[] = [];
afterEach(async () => {
  for (const plane of open.splice(0)) await plane.close();
});

const policy = (name: string, namespace: string, spec: string): string =>
  `apiVersion: tulle.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n---\n`;

/** A workload `orders` with an HTTP port 8080 and a TCP port 5432, and what it gets. */
function orders() {
  const plane = createControlPlane({ trustDomain: 'mesh.local' });
  open.push(plane);
  const handle = plane.provider.open(
    joiningNode('orders', {
      ports: [
        { port: 8080, inboundPort: 15006 },
        { port: 5432, appProtocol: 'tcp', inboundPort: 15007 },
      ],
    }),
  );
  return {
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
