/** A V8 CPU profile, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

interface Frame {
  readonly functionName: string;
  readonly url: string;
}

/**
 * What a profiled Tulle spent its time on, in percent, most first. Starting the program does not count, nor does
 * waiting. The access log's share holds what its thread takes from the engine on the core that they share.
 */
export function profileShares(profile: CpuProfile): readonly (readonly [what: string, percent: number])[] {
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const callers = new Map<number, number>();
  for (const node of profile.nodes) for (const child of node.children ?? []) callers.set(child, node.id);
  const kinds = new Map<number, string | undefined>();
  const times = new Map<string, number>();
  let total = 0;
  for (const [index, id] of profile.samples.entries()) {
    if (!kinds.has(id)) kinds.set(id, kindOf(stackOf(id, frames, callers)));
    const kind = kinds.get(id);
    if (kind === undefined) continue;
    const deltaUs = profile.timeDeltas[index] ?? 0;
    times.set(kind, (times.get(kind) ?? 0) + deltaUs);
    total += deltaUs;
  }
  return [...times].toSorted((a, b) => b[1] - a[1]).map(([kind, us]) => [kind, (us / total) * 100]);
}

/** The frame of a node and those of its callers, innermost first. */
function stackOf(
  id: number,
  frames: ReadonlyMap<number, Frame>,
  callers: ReadonlyMap<number, number>,
): readonly Frame[] {
  const stack: Frame[] = [];
  for (let at: number | undefined = id; at !== undefined; at = callers.get(at)) {
    const frame = frames.get(at);
    if (frame !== undefined) stack.push(frame);
  }
  return stack;
}

function kindOf(stack: readonly Frame[]): string | undefined {
  const inner = stack[0];
  if (inner === undefined || inner.functionName === '(idle)') return undefined;
  if (stack.some(({ url }) => /run_main|bootstrap\/|modules\/(?:esm|cjs)/.test(url))) return undefined;
  if (inner.functionName === '(garbage collector)') return 'collecting garbage';
  if (stack.some(({ url }) => url === 'node:fs')) return "writing the access log's file";
  // Through the stream or straight into the handle.
  if (inner.functionName === 'writeBuffer') return 'writing to sockets, most of it in the kernel';
  const own = stack.filter(({ url }) => url.startsWith('file:'));
  if (own.some((frame) => frame.functionName === 'record')) return 'the record: access log line, metrics';
  if (own.length === 0 || inner.url.startsWith('node:'))
    return inner.functionName === '(program)' ? 'native code outside a function' : "Node's own JavaScript";
  return 'engine, codec, filters';
}
