import { match, strictEqual as is } from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import type { Case } from '@tulle/interop/suite';
import { eventually, podOf } from '../node-questions.ts';
import { PORT, type Nodes } from '../nodes.ts';

const RESOLVER = fileURLToPath(new URL('../programs/resolver.ts', import.meta.url));

const service = (name: string, app: string, more = ''): string => `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${app} }, ports: [{ name: http, port: 80, targetPort: ${PORT} }]${more} }
---
`;

/** How programs of a node's workloads find whom they call. */
export const nodeNames: readonly Case<Nodes>[] = [
  {
    name: 'workloads of a node proxy call Services by name, and other names are asked of their own resolvers, by their own addresses',
    async run(nodes) {
      const place = nodes.one.addPod('resolver');
      const resolver = place.place.start(process.execPath, [RESOLVER]);
      await resolver.said(/resolving/);
      await nodes.apply(`${service('shop', 'd')}${service('store', 'd', ', clusterIP: 10.96.7.7')}`);
      const named = nodes.one.addPod('named');
      await nodes.add(nodes.one, named, named.address, ['--resolver', place.address]);
      const six = nodes.one.addPod('named6');
      await nodes.add(nodes.one, six, six.address, ['--resolver', place.address6]);
      const alone = nodes.one.addPod('nameless');
      await nodes.add(nodes.one, alone, alone.address, ['--resolver', 'none']);
      await nodes.serving(nodes.one, 5);
      const d = podOf(nodes, 'd');
      for (const host of ['shop', 'shop.default', 'shop.default.svc.mesh.local', 'store'])
        eventually(nodes, named, host, new RegExp(`^200 d called by ${d.address}$`), 80);
      match(nodes.lookup(named, 'shop'), /^127\.(?:12[89]|1[3-9]\d|2\d\d)\./);
      match(nodes.lookup(named, 'store'), /^(?:127\.|10\.96\.7\.7$)/);
      // Whomever a program asks, by either family.
      for (const server of ['192.0.2.53', '[fd88:1::1]', '127.0.0.1'])
        match(nodes.lookup(named, 'shop', server), /^127\./, server);
      is(nodes.lookup(named, 'else.test'), named.address);
      is(nodes.lookup(six, 'shop', '192.0.2.53').startsWith('127.'), true);
      // Where its own resolver is left alone, that answers, whatever the mesh knows.
      is(nodes.lookup(alone, 'shop', place.address), alone.address);
      for (const pod of [named, six, alone]) await nodes.toEnd(nodes.one, ['node-proxy', 'remove', pod.name]);
      await resolver.stop();
    },
  },
];
