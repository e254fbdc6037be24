import { type ConnectionSigns, isLocal } from './connection-signs.ts';
import type { CompiledChain, CompiledChainMatch, CompiledListener } from './compiled-listener.ts';

/** A condition that does not hold. */
const MISS = -1;
/** The chain says nothing of it. */
const UNSAID = 0;

/** How well a condition of a chain fits: the more, the more specific it is. */
type Rank = (match: CompiledChainMatch, signs: ConnectionSigns) => number;

/** In the order in which Envoy asks them (`FilterChainMatch`). */
const CONDITIONS: readonly Rank[] = [
  ({ destinationPort }, signs) =>
    destinationPort === undefined ? UNSAID : destinationPort === signs.destinationPort ? 1 : MISS,
  ({ destinations }, signs) =>
    destinations === undefined ? UNSAID : within(destinations.narrowest(signs.destinationAddress)),
  serverNameRank,
  ({ transport }, { tls }) =>
    transport === undefined ? UNSAID : (transport === 'tls') === (tls === true) ? 1 : MISS,
  protocolRank,
  ({ directSources }, signs) =>
    directSources === undefined ? UNSAID : within(directSources.narrowest(signs.directAddress)),
  ({ sourceType }, signs) =>
    sourceType === undefined ? UNSAID : (sourceType === 'local') === isLocal(signs) ? 1 : MISS,
  ({ sources }, signs) => (sources === undefined ? UNSAID : within(sources.narrowest(signs.sourceAddress))),
  ({ sourcePorts }, signs) =>
    sourcePorts === undefined ? UNSAID : sourcePorts.includes(signs.sourcePort) ? 1 : MISS,
];

const within = (bits: number): number => (bits < 0 ? MISS : bits + 1);

/** Longer than any name. */
const EXACT_NAME = 1_000;

function serverNameRank({ serverNames }: CompiledChainMatch, { serverName }: ConnectionSigns): number {
  if (serverNames === undefined) return UNSAID;
  if (serverName === undefined) return MISS;
  let best = MISS;
  for (const pattern of serverNames) {
    if (pattern === serverName) return EXACT_NAME;
    if (pattern.startsWith('.') && serverName.length > pattern.length && serverName.endsWith(pattern))
      best = Math.max(best, pattern.length);
  }
  return best;
}

/** The caller's first wish that some chain names decides. */
function protocolRank(
  { applicationProtocols: named }: CompiledChainMatch,
  { applicationProtocols: wished }: ConnectionSigns,
): number {
  if (named === undefined) return UNSAID;
  const at = wished.findIndex((protocol) => named.includes(protocol));
  return at < 0 ? MISS : wished.length - at;
}

/** The chain that takes a connection: that which is chosen, the first whose conditions hold, or the most specific. */
export function chooseChain(listener: CompiledListener, signs: ConnectionSigns): CompiledChain | undefined {
  const { chains, config, chooser } = listener;
  if (chooser !== undefined) {
    const name = chooser(signs) ?? config.defaultChain;
    return name === undefined ? undefined : listener.byName.get(name);
  }
  if (config.chainOrder !== 'specific')
    return chains.find(
      ({ match }) => match === undefined || CONDITIONS.every((rank) => rank(match, signs) !== MISS),
    );
  let left: readonly CompiledChain[] = chains;
  for (const rank of CONDITIONS) {
    if (left.length === 0) return undefined;
    const ranks = left.map(({ match }) => (match === undefined ? UNSAID : rank(match, signs)));
    const best = Math.max(...ranks);
    left = best === MISS ? [] : left.filter((_, index) => ranks[index] === best);
  }
  return left[0];
}
