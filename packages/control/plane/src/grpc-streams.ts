import { readServerListener } from './compile/grpc-names.ts';
import { isSameWorkload, type ProxyNode } from './node.ts';
import type { ProxySession } from './proxy-session.ts';

/** An id of its own for a stream of a gRPC program, of which a process may have several at once (gRFC A71): `ID`, `ID#2`, … */
export function freeStreamId(node: ProxyNode, sessions: ReadonlyMap<string, ProxySession>): ProxyNode {
  let id = node.id;
  for (let n = 2; sessions.has(id); n++) id = `${node.id}#${n}`;
  return id === node.id ? node : { ...node, id };
}

/**
 * Whether the servers of a gRPC program take calls: those of all ports that it has have their listeners, on whichever of its
 * streams they asked for them.
 */
export function serves(node: ProxyNode, sessions: Iterable<ProxySession>): boolean {
  if (node.ports.length === 0) return false;
  const served = new Set<number>();
  for (const session of sessions)
    if (session.node.grpc && isSameWorkload(session.node, node))
      for (const name of session.namesOf('listener')) {
        const at = readServerListener(name);
        if (at !== undefined) served.add(at.port);
      }
  return node.ports.every(({ inboundPort }) => served.has(inboundPort));
}
