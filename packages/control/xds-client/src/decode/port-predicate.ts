import type { PortRange } from '@tulle/model';
import type { ListenerFilterChainMatchPredicate as Predicate } from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import type { DecodeContext } from './context.ts';

/** First port that is none. */
const END = 65_536;

/** Ports for which a predicate about destination ports holds, in order: whatever it is made of, it is a set of them. */
export function portsOf(context: DecodeContext, predicate: Predicate, path: string): readonly PortRange[] {
  const test = compile(context, predicate, path);
  const edges = [...test.edges, 0, END].toSorted((a, b) => a - b);
  const ranges: { from: number; to: number }[] = [];
  for (const [index, from] of edges.entries()) {
    const next = edges[index + 1];
    if (next === undefined || next === from || !test.holds(from)) continue;
    const last = ranges.at(-1);
    if (last?.to === from - 1) last.to = next - 1;
    else ranges.push({ from, to: next - 1 });
  }
  return ranges;
}

/** A predicate, and the ports at which its answer may change. */
interface Test {
  readonly holds: (port: number) => boolean;
  readonly edges: readonly number[];
}

const NOWHERE: Test = { holds: () => false, edges: [] };

function compile(context: DecodeContext, { rule }: Predicate, path: string): Test {
  switch (rule.case) {
    case 'anyMatch':
      return { holds: () => rule.value, edges: [] };
    case 'destinationPortRange': {
      // The end is not in the range (Envoy `Int32Range`).
      const { start, end } = rule.value;
      if (start < 0 || start >= end || end > END)
        context.refuse(`${path}.destination_port_range`, `must be within 0 to ${END}, its end excluded`);
      return { holds: (port) => start <= port && port < end, edges: [clamp(start), clamp(end)] };
    }
    case 'notMatch': {
      const inner = compile(context, rule.value, `${path}.not_match`);
      return { holds: (port) => !inner.holds(port), edges: inner.edges };
    }
    case 'orMatch':
    case 'andMatch': {
      const name = rule.case === 'orMatch' ? 'or_match' : 'and_match';
      const parts = rule.value.rules.map((part, index) =>
        compile(context, part, `${path}.${name}.rules[${index}]`),
      );
      if (parts.length < 2) context.refuse(`${path}.${name}.rules`, 'must have two rules or more');
      const every = rule.case === 'andMatch';
      return {
        holds: (port) =>
          every ? parts.every(({ holds }) => holds(port)) : parts.some(({ holds }) => holds(port)),
        edges: parts.flatMap(({ edges }) => edges),
      };
    }
    case undefined:
      context.refuse(path, 'names no rule');
      return NOWHERE;
  }
}

const clamp = (port: number): number => Math.min(Math.max(port, 0), END);
