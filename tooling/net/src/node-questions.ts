import { match } from 'node:assert/strict';
import { PORT, type Nodes, type Pod } from './nodes.ts';

/** A workload of either node, by name. */
export function podOf(nodes: Nodes, name: string): Pod {
  return [...nodes.one.pods, ...nodes.two.pods].find((one) => one.name === name) as Pod;
}

/** Asks until the answer matches: policies are there within moments, and the old one holds until then. @param how as of {@link Nodes.ask} */
export function eventually(
  nodes: Nodes,
  from: Pod,
  to: string,
  pattern: RegExp,
  port: number = PORT,
  ...how: readonly string[]
): void {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const heard = nodes.ask(from, to, port, ...how);
    if (pattern.test(heard)) return;
    if (Date.now() > deadline)
      match(heard, pattern, `${heard}\n${nodes.one.proxy.text}\n${nodes.two.proxy.text}`);
  }
}
