import { ok, strictEqual as is } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from '@tulle/interop/suite';
import { podOf } from '../node-questions.ts';
import { LEFT_ALONE, PORT, type Node, type Nodes } from '../nodes.ts';

/**
 * What comes over the cable between the nodes, as the kernel of a node sees it: packets of tunnels, to the program's own port, and
 * such as begin like a request or an answer of HTTP ("GET ", "HTTP"), whatever their ports.
 */
const RULES = `table inet wire {
  counter tunnels {}
  counter program {}
  counter plain {}
  chain seen {
    type filter hook prerouting priority -300;
    iifname "eth0" tcp dport 15008 counter name tunnels
    iifname "eth0" tcp sport 15008 counter name tunnels
    iifname "eth0" tcp dport ${PORT} counter name program
    iifname "eth0" meta l4proto tcp @ih,0,32 { 0x47455420, 0x48545450 } counter name plain
  }
}
`;

interface Seen {
  readonly tunnels: number;
  readonly program: number;
  readonly plain: number;
}

function seenBy(node: Node): Seen {
  const { nftables } = JSON.parse(
    node.place.run('nft', ['-j', 'list', 'counters', 'table', 'inet', 'wire']),
  ) as {
    readonly nftables: readonly { readonly counter?: { readonly name: string; readonly packets: number } }[];
  };
  return Object.fromEntries(
    nftables.flatMap(({ counter }) => (counter === undefined ? [] : [[counter.name, counter.packets]])),
  ) as unknown as Seen;
}

/** What is on the wire between nodes. */
export const nodeWire: readonly Case<Nodes>[] = [
  {
    name: 'between nodes there are tunnels of mutual TLS alone: nothing that the programs say can be read on the wire',
    run: async (nodes) => {
      await Promise.resolve();
      const file = join(nodes.directory, 'wire.nft');
      writeFileSync(file, RULES);
      const both = [nodes.one, nodes.two];
      const calls = [
        ['b', 'd'],
        ['d', 'b'],
        ['a', 'd'],
      ] as const;
      try {
        for (const { place } of both) place.run('nft', ['-f', file]);
        for (const [from, to] of calls)
          ok(
            nodes.ask(podOf(nodes, from), podOf(nodes, to).address).startsWith(`200 ${to} `),
            `${from} to ${to}`,
          );
        const [one, two] = both.map(seenBy) as [Seen, Seen];
        for (const seen of [one, two]) {
          ok(seen.tunnels > 0, JSON.stringify(seen));
          is(seen.program, 0, 'packets to the port of a program');
          is(seen.plain, 0, 'packets with a request or an answer in the clear');
        }
        // What goes past the proxies is seen: a request by the one, and its answer by the other.
        ok(nodes.ask(podOf(nodes, 'b'), podOf(nodes, 'd').address, LEFT_ALONE).startsWith('200 d '));
        for (const node of both) ok(seenBy(node).plain > 0, 'plain text is seen where there is some');
        return `${one.tunnels + two.tunnels} packets of tunnels for ${calls.length} calls, none in the clear`;
      } finally {
        for (const { place } of both) place.run('nft', ['delete', 'table', 'inet', 'wire']);
      }
    },
  },
];
