import type { WaitingRequest } from '../demands.ts';
import { PAUSE_HOOK } from '../sides.ts';
import { SITE_DEMAND } from '../stream/sites.ts';
import { AT_ATTEMPTS, AT_REQUEST, type Stream } from '../stream/stream.ts';

/**
 * Requests that wait for what is not there yet (Envoy's filter `on_demand`): for a virtual host, or the cluster that they name
 * themselves, before their route's filters; for any other cluster before its first attempt. Each waits once for each: what has
 * not come then is not there.
 */

/** Where no target was found for the stream, whose chain may let requests wait. @returns whether it waits */
export function awaitRoute(stream: Stream): boolean {
  const { chain, route, engine, target } = stream;
  const { demands } = engine;
  if (target !== undefined && target.named === undefined) return false;
  if (chain.onDemand === undefined || demands === undefined) return false;
  if (route === undefined) {
    const { routes } = chain.onDemand;
    // A host that is here has routes, and none of them takes the request.
    if (stream.askedHost || routes === '' || chain.matcher.hasHost(stream.authority)) return false;
    stream.askedHost = true;
    stream.note(SITE_DEMAND, 0, 0);
    demands.ask({ kind: 'virtual-host', routes, host: stream.authority }, ticketOf(stream));
  } else {
    const { action } = route;
    if (action.kind !== 'forward' || action.onDemand === undefined) return false;
    const named = action.byHeader ?? target?.named;
    if (named === undefined) return false;
    const name = stream.headers.get(named.name) ?? '';
    if (stream.askedCluster || name === '') return false;
    stream.askedCluster = true;
    stream.note(SITE_DEMAND, 1, 0);
    demands.ask({ kind: 'cluster', name, ...action.onDemand }, ticketOf(stream));
  }
  stream.downstream.pauseRequest(stream, PAUSE_HOOK);
  return true;
}

/** The stream's cluster is not there. @returns whether it waits */
export function awaitCluster(stream: Stream): boolean {
  const { route, target, engine } = stream;
  const action = route?.action;
  if (stream.askedCluster || engine.demands === undefined) return false;
  if (target === undefined || target.named !== undefined) return false; // what it names was asked for before
  if (action?.kind !== 'forward' || action.onDemand === undefined) return false;
  stream.askedCluster = true;
  stream.note(SITE_DEMAND, 1, 0);
  engine.demands.ask({ kind: 'cluster', name: target.ref.name, ...action.onDemand }, ticketOf(stream));
  return true;
}

const ticketOf = (stream: Stream): WaitingRequest => ({ stream, generation: stream.generation });

/** What it waited for is in use, or there is none. */
export function goOn({ stream: ref, generation }: WaitingRequest): void {
  const stream = ref as Stream;
  if (!stream.live || stream.generation !== generation) return;
  const { engine } = stream;
  engine.turn.begin();
  try {
    if (stream.phase === AT_ATTEMPTS && stream.cluster === undefined) engine.doors.beginAttempts(stream);
    else if (stream.phase === AT_REQUEST) {
      takeNewest(stream);
      engine.doors.routeAgain(stream);
    }
  } catch (defect) {
    engine.defect(stream, defect);
  } finally {
    engine.turn.end();
  }
}

/**
 * What came is in a newer chain than that which the stream began with: it goes over to it, where that has the same filters. Else
 * what they did so far would be another chain's, and it stays.
 */
function takeNewest(stream: Stream): void {
  const before = stream.chain;
  const chain = before.place?.current;
  if (chain === undefined || chain === before || chain.filters !== before.filters) return;
  chain.retain();
  before.release();
  stream.chain = chain;
}
