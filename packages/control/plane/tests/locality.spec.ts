import { readResources } from '@tulle/resources';
import type { Locality } from '@tulle/model';
import { expect, it } from 'vitest';
import { createControlPlane } from '../src/index.ts';
import { nodeOf } from './nodes.ts';

const workload = (name: string, address: string, zone: string): string => `---
apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: api } }
spec: { address: ${address}, ports: [{ port: 80 }], inbound: { mode: none }, locality: { region: eu, zone: ${zone} } }
`;

const RESOURCES = `apiVersion: v1
kind: Service
metadata: { name: api }
spec: { selector: { app: api }, ports: [{ port: 80 }] }
---
apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: api }
spec: { targetRefs: [{ group: '', kind: Service, name: api }], locality: { prefer: Nearest } }
${workload('one', '10.0.0.1', 'a')}${workload('two', '10.0.0.2', 'b')}`;

it('each caller gets endpoints by how near they are to it; callers of one place share what they get', async () => {
  const { resources, diagnostics } = await readResources([{ text: RESOURCES, file: 'mesh.yaml' }]);
  expect(diagnostics).toEqual([]);
  const controlPlane = createControlPlane({ trustDomain: 'mesh.local' });
  controlPlane.apply(
    resources.map(({ resource }) => resource),
    [],
  );
  const metadata = { workload: 'web', upstreams: [{ service: 'api', localPort: 19_080 }] };
  const open = (instance: string, locality?: Locality) =>
    controlPlane.provider.open(nodeOf(metadata, instance, locality === undefined ? {} : { locality }));
  const [inA, inB, alsoInB, anywhere] = [
    open('1', { region: 'eu', zone: 'a' }),
    open('2', { region: 'eu', zone: 'b' }),
    open('3', { region: 'eu', zone: 'b' }),
    open('4'),
  ];
  controlPlane.flush();
  const endpoints = [inA, inB, alsoInB, anywhere].map((handle) => handle.current().config.endpoints[0]);
  expect(endpoints.map((set) => set?.endpoints.map(({ priority }) => priority ?? 0))).toEqual([
    [0, 1],
    [1, 0],
    [1, 0],
    [0, 0],
  ]);
  expect(endpoints[1]).toBe(endpoints[2]);
  await controlPlane.close();
});
