import { hashKey } from '../attempts/hash-key.ts';
import { shareOfSession } from '../attempts/sessions.ts';
import type { CompiledForward, CompiledRoute, ForwardTarget } from '../compile/compiled.ts';
import { isGrpcCall } from '../grpc/grpc-call.ts';
import { SITE_REMATCH, SITE_ROUTE } from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';

/** Finds the route of a stream and puts its table in force. No route: only what runs without one stays. */
export function matchRoute(stream: Stream): void {
  const route = stream.chain.matcher.match(stream);
  stream.route = route;
  stream.routed = true;
  stream.target = undefined;
  stream.sessionEndpoint = undefined; // of another route, where it is matched again
  if (route === undefined) {
    stream.table = stream.chain.unrouted;
    stream.note(SITE_ROUTE, -1, -1);
    return;
  }
  stream.table = route.table;
  let share = -1;
  if (route.action.kind === 'forward' && route.action.byHeader !== undefined) {
    const { byHeader } = route.action;
    stream.target = byHeader.find(stream.headers.get(byHeader.name) ?? '');
    stream.table = stream.target?.table ?? route.table;
  } else if (route.action.kind === 'forward' && route.action.totalWeight > 0) {
    const { action } = route;
    const kept = action.persistence === null ? -1 : shareOfSession(stream, action);
    share = kept < 0 ? drawTarget(stream, action) : kept;
    const target = action.targets[share] as ForwardTarget;
    stream.target = target.named === undefined ? target : namedTarget(stream, target);
    stream.table = target.table;
  }
  stream.note(SITE_ROUTE, route.index, share);
}

/** The target for the cluster that the request names; the share itself where there is none of that name. */
export function namedTarget({ headers }: Stream, share: ForwardTarget): ForwardTarget {
  const { named } = share;
  return named?.find(headers.get(named.name) ?? '') ?? share;
}

function drawTarget(stream: Stream, action: CompiledForward): number {
  const { targets } = action;
  if (targets.length === 1) return 0;
  let draw = numberOf(stream, action) ?? stream.engine.random() * action.totalWeight;
  for (let i = 0; i < targets.length - 1; i++) {
    draw -= (targets[i] as ForwardTarget).weight;
    if (draw < 0) return i;
  }
  // Rounding must not choose a share of weight 0 at the end.
  let last = targets.length - 1;
  while ((targets[last] as ForwardTarget).weight === 0) last--;
  return last;
}

/** Numbers are of 64 bits (Envoy `WeightedCluster.header_name`). */
const TWO_TO_64 = 2n ** 64n;

/** The number by which the request itself says where in the split it falls. */
function numberOf(
  stream: Stream,
  { splitHeader, splitByHash, hashPolicy, totalWeight }: CompiledForward,
): number | undefined {
  if (splitByHash && hashPolicy !== null) {
    const hash = hashKey(stream, hashPolicy, false);
    return hash < 0 ? undefined : hash % totalWeight;
  }
  const text = splitHeader === '' ? undefined : stream.headers.get(splitHeader);
  if (text === undefined || !/^\d{1,20}$/.test(text)) return undefined;
  if (text.length < 16) return Number(text) % totalWeight;
  const number = BigInt(text);
  return number < TWO_TO_64 ? Number(number % BigInt(totalWeight)) : undefined;
}

/** `stream.rematch()`: filters that ran and are not in force any more are remembered, since they complete too. */
export function rematch(stream: Stream): void {
  if (!stream.routed) return; // it comes anyway
  const before = stream.table;
  stream.grpc = isGrpcCall(stream);
  stream.note(SITE_REMATCH, stream.slot, 0);
  matchRoute(stream);
  if (stream.table === before) return;
  stream.rematched = true;
  if (before.complete === null) return;
  for (const step of before.complete) {
    const ran = step.filter.slot <= stream.slot;
    const stays = stream.table.complete?.some((other) => other.filter === step.filter) ?? false;
    if (ran && !stays && !stream.retired.some((entry) => entry.filter === step.filter))
      stream.retired = [...stream.retired, step];
  }
}

/** The route's compiled form for messages. */
export function describeRoute(route: CompiledRoute | undefined): string {
  return route === undefined ? 'no route' : `route ${route.name}`;
}
