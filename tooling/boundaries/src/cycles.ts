/** One cycle for each edge that closes one in a depth-first walk; the first node is repeated at the end. */
export function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    const at = path.indexOf(node);
    if (at >= 0) {
      cycles.push([...path.slice(at), node]);
      return;
    }
    if (done.has(node)) return;
    path.push(node);
    for (const next of graph.get(node) ?? []) visit(next);
    path.pop();
    done.add(node);
  };
  for (const node of graph.keys()) visit(node);
  return cycles;
}

/** Every set of nodes that reach each other (strongly connected components of two or more), each sorted. */
export function findRings(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const rings: string[][] = [];
  const reach = new Map<string, number>();
  const open: string[] = [];
  /** @returns the earliest node of `open` that `node` leads back to */
  const visit = (node: string): number => {
    const at = open.push(node) - 1;
    let earliest = at;
    reach.set(node, at);
    for (const next of graph.get(node) ?? []) {
      if (!graph.has(next)) continue;
      const known = reach.get(next);
      if (known === undefined) earliest = Math.min(earliest, visit(next));
      else if (open[known] === next) earliest = Math.min(earliest, known);
    }
    if (earliest === at) {
      const ring = open.splice(at);
      if (ring.length > 1) rings.push(ring.toSorted());
    }
    return earliest;
  };
  for (const node of graph.keys()) if (!reach.has(node)) visit(node);
  return rings;
}
