import { readResources, type Resource } from '@tulle/resources';
import { afterEach, describe, expect, it } from 'vitest';
import { createControlPlane, memoryState, type ControlPlane, type MayClaim } from '../src/index.ts';
import { joiningNode } from './joining-node.ts';
import { manualClock } from './manual-clock.ts';

const open: ControlPlane[] = [];
afterEach(async () => {
  for (const plane of open.splice(0)) await plane.close();
});

const service = (annotation = '', selector = '{ app: orders }'): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: orders${annotation === '' ? '' : `, annotations: { tulle.dev/service-accounts: "${annotation}" }`} }\nspec: { selector: ${selector}, ports: [{ port: 80 }] }\n`;

async function resources(yaml: string): Promise<Resource[]> {
  const { resources: found, diagnostics } = await readResources([{ text: yaml, file: 'f' }]);
  expect(diagnostics).toEqual([]);
  return found.map(({ resource }) => resource);
}

interface Mesh {
  readonly plane: ControlPlane;
  readonly clock: ReturnType<typeof manualClock>;
  apply(yaml: string): Promise<void>;
  /** Identities of the endpoints that a caller of the Service gets. */
  endpoints(): string[];
}

/** A caller of the Service orders. */
async function mesh(more: {
  readonly mayClaim?: MayClaim;
  readonly state?: ReturnType<typeof memoryState>;
}): Promise<Mesh> {
  const clock = manualClock();
  const plane = createControlPlane({ trustDomain: 'mesh.local', clock, ...more });
  open.push(plane);
  const caller = plane.provider.open(
    joiningNode('web', { ports: [], upstreams: [{ service: 'orders', localPort: 9000 }] }),
  );
  return {
    plane,
    clock,
    async apply(yaml) {
      plane.apply(await resources(yaml), []);
    },
    endpoints() {
      plane.flush();
      return caller
        .current()
        .config.endpoints.flatMap(({ endpoints }) => endpoints)
        .map(({ identity }) => identity?.split('/sa/')[1] ?? 'none')
        .sort();
    },
  };
}

let port = 7000;
/** Joins as `account`, claims these labels, and listens where nobody else does. */
const claims = (account: string, labels: Record<string, string> = { app: 'orders' }, instance?: string) =>
  joiningNode(account, { labels, inbound: { address: '127.0.0.1', port: (port += 1) } }, instance);

describe('a Service takes the endpoints of service accounts that it may take', () => {
  it('a thief that claims its labels gets nothing of its calls, and the Service says so', async () => {
    const { plane, endpoints, apply } = await mesh({});
    await apply(service());
    plane.provider.open(claims('orders'));
    plane.provider.open(claims('evil'));
    expect(endpoints()).toEqual(['orders']);
    const [status] = plane.status().services;
    expect(status).toMatchObject({
      name: 'default/orders',
      conditions: [{ type: 'EndpointsTaken', status: 'False', reason: 'ServiceAccountNotAllowed' }],
      leftOut: [
        {
          workload: 'default/evil.evil-1',
          serviceAccount: 'default/evil',
          reason: 'no join token granted default/evil app=orders, and the Service names no service accounts',
        },
      ],
    });
    expect(plane.conditions('Service/default/orders')).toEqual(status?.conditions);
    expect(plane.conditions('Workload/default/evil.evil-1')).toEqual([]);
  });

  it('the thief stays out when its endpoint would be the only one', async () => {
    const { plane, endpoints, apply } = await mesh({});
    await apply(service());
    plane.provider.open(claims('evil'));
    expect(endpoints()).toEqual([]);
  });

  it('nobody keeps a thief that vanished for the sake of a Service that does not take it', async () => {
    const { plane, apply, clock } = await mesh({});
    await apply(service());
    plane.provider.open(claims('evil')).closed('lost');
    clock.advance(31_000);
    expect(plane.resource('Workload/default/evil.evil-1')).toBeUndefined();
  });

  it('whoever was granted every label of the selector is taken, and nobody who lacks one', async () => {
    const granted: Record<string, Record<string, string>> = {
      'default/orders-v2': { app: 'orders', version: 'v2' },
      'default/half': { app: 'orders' },
    };
    const mayClaim: MayClaim = (account, labels) =>
      Object.entries(labels).every(([name, value]) => granted[account]?.[name] === value);
    const { plane, endpoints, apply } = await mesh({ mayClaim });
    await apply(service('', '{ app: orders, version: v2 }'));
    for (const account of ['orders-v2', 'half', 'evil'])
      plane.provider.open(claims(account, { app: 'orders', version: 'v2' }));
    expect(endpoints()).toEqual(['orders-v2']);
    expect(plane.status().services[0]?.leftOut.map(({ serviceAccount }) => serviceAccount)).toEqual([
      'default/half',
      'default/evil',
    ]);
  });

  it('a Service that names service accounts takes those and nobody else, whatever tokens granted', async () => {
    const { plane, endpoints, apply } = await mesh({ mayClaim: () => true });
    await apply(service('orders-v2, other/orders'));
    for (const account of ['orders', 'orders-v2', 'evil']) plane.provider.open(claims(account));
    expect(endpoints()).toEqual(['orders-v2']);
    expect(plane.status().services[0]?.leftOut[0]?.reason).toBe(
      'default/orders is not among those that the annotation tulle.dev/service-accounts names',
    );
    await apply(service('orders, orders-v2'));
    expect(endpoints()).toEqual(['orders', 'orders-v2']);
    await apply(service());
    expect(endpoints()).toEqual(['evil', 'orders', 'orders-v2']);
    expect(plane.status().services).toEqual([]);
    expect(plane.conditions('Service/default/orders')).toEqual([
      expect.objectContaining({ type: 'EndpointsTaken', status: 'True' }),
    ]);
  });

  it('a grant that comes with another instance holds for all of that account, and ends with it', async () => {
    let may = false;
    const { plane, endpoints, apply } = await mesh({ mayClaim: () => may });
    await apply(service());
    plane.provider.open(claims('orders-v2'));
    expect(endpoints()).toEqual([]);
    may = true; // its second instance spent a token with the labels
    const second = plane.provider.open(claims('orders-v2', { app: 'orders' }, 'orders-v2-2'));
    expect(endpoints()).toEqual(['orders-v2', 'orders-v2']);
    may = false;
    second.closed('clean');
    expect(endpoints()).toEqual([]);
  });

  it('what a person wrote by hand is not judged', async () => {
    const { plane, endpoints, apply } = await mesh({});
    await apply(service());
    await apply(
      'apiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: vm, labels: { app: orders } }\nspec: { address: 192.0.2.1, ports: [{ port: 80 }], inbound: { mode: sidecar, port: 81 }, serviceAccount: vm }\n',
    );
    expect(endpoints()).toEqual(['vm']);
    expect(plane.status().services).toEqual([]);
  });

  it('a thief stays out over a restart, before its sidecar is there again', async () => {
    const state = memoryState();
    const first = await mesh({ state });
    await first.apply(service());
    first.plane.provider.open(claims('orders'));
    first.plane.provider.open(claims('evil'));
    await first.plane.close();
    const second = await mesh({ state });
    expect(second.endpoints()).toEqual(['orders']);
  });
});
