import { match, strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import { eventually, podOf } from '../node-questions.ts';
import { LEFT_ALONE, PORT, UNNAMED, type Nodes } from '../nodes.ts';

const REFUSED = /^error (?:ECONNRESET|ECONNREFUSED|socket hang up)$/;

/** Modes of plain text of a workload, whole and by port. */
const mtls = (name: string, spec: string): string => `apiVersion: tulle.dev/v1alpha1
kind: PeerAuthentication
metadata: { name: ${name} }
spec: { selector: { matchLabels: { app: ${name} } }, ${spec} }
`;

/** What is captured in the network of a workload, and what is not. */
export const nodeCapture: readonly Case<Nodes>[] = [
  {
    name: 'every port of a workload is captured, named or not, by IPv4 and IPv6: plain text gets in where PERMISSIVE alone',
    async run(nodes) {
      const outsider = nodes.two.addPod('stranger');
      const a = podOf(nodes, 'a');
      for (const host of [a.address, a.address6]) {
        for (const port of [PORT, UNNAMED])
          match(nodes.ask(outsider, host, port), REFUSED, `${host} ${port}`);
        match(nodes.ask(outsider, host, LEFT_ALONE), /^200 a /);
        // Nobody finds a way in by the proxy's own ports.
        for (const port of [15_001, 15_006, 15_008]) match(nodes.ask(outsider, host, port), REFUSED);
      }
      // What it says to itself is its own.
      for (const port of [PORT, UNNAMED])
        match(nodes.ask(a, '127.0.0.1', port), /^200 a called by 127\.0\.0\.1/);
      match(nodes.ask(a, '::1', UNNAMED), /^200 a called by ::1/);
      await nodes.apply(mtls('a', 'mtls: { mode: PERMISSIVE }'));
      for (const host of [a.address, a.address6])
        for (const port of [PORT, UNNAMED])
          eventually(nodes, outsider, host, new RegExp(`^200 a called by ${host}$`), port);
      await nodes.apply(
        mtls('a', `mtls: { mode: PERMISSIVE }, portLevelMtls: { '${UNNAMED}': { mode: STRICT } }`),
      );
      for (const host of [a.address, a.address6]) {
        eventually(nodes, outsider, host, REFUSED, UNNAMED);
        match(nodes.ask(outsider, host), /^200 a /);
      }
      await nodes.apply(mtls('a', 'mtls: { mode: STRICT }'));
      eventually(nodes, outsider, a.address, REFUSED);
    },
  },
  {
    name: 'what a workload calls by IPv6 is captured, and one of IPv6 alone is called by tunnels',
    async run(nodes) {
      const stranger = nodes.one.addPod('nobody');
      nodes.startPeer(stranger);
      const closed = nodes.two.addPod('h');
      await nodes.add(nodes.two, closed, closed.address, ['--egress', 'registry-only']);
      const six = nodes.two.addPod('six');
      nodes.startPeer(six);
      await nodes.add(nodes.two, six, six.address6);
      await nodes.serving(nodes.two, 5);
      const a = podOf(nodes, 'a');
      for (const host of [stranger.address, stranger.address6]) {
        eventually(
          nodes,
          a,
          host,
          new RegExp(`^200 nobody called by ${host === stranger.address ? a.address : a.address6}$`),
        );
        match(nodes.ask(closed, host), REFUSED);
      }
      for (const from of [a, closed])
        eventually(nodes, from, six.address6, new RegExp(`^200 six called by ${six.address6}$`));
      match(nodes.ask(stranger, six.address6), REFUSED);
      is(nodes.ask(six, a.address).startsWith('200 a '), true);
    },
  },
];
