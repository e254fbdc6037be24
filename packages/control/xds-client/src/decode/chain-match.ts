import { create, toBinary } from '@bufbuild/protobuf';
import type { ChainMatch } from '@tulle/model';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import {
  type FilterChainMatch,
  FilterChainMatch_ConnectionSourceType as SourceType,
  FilterChainMatchSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import { decodeCidr } from './address.ts';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

/** Of two chains with the same match the second would never be used; Envoy refuses them too. */
export function refuseSameMatch(context: DecodeContext, { filterChains }: Listener): void {
  const seen = new Map<string, number>();
  for (const [index, { filterChainMatch }] of filterChains.entries()) {
    const match = filterChainMatch ?? create(FilterChainMatchSchema);
    const key = Buffer.from(toBinary(FilterChainMatchSchema, match)).toString('latin1');
    const before = seen.get(key);
    if (before === undefined) seen.set(key, index);
    else
      context.refuse(
        `filter_chains[${index}].filter_chain_match`,
        `matches the same as that of filter_chains[${before}]`,
      );
  }
}

/** @param path of the chain */
export function decodeChainMatch(context: DecodeContext, match: FilterChainMatch, path: string): ChainMatch {
  const protocol = match.transportProtocol;
  if (!['', 'tls', 'raw_buffer'].includes(protocol)) {
    context.refuse(
      `${path}.filter_chain_match.transport_protocol`,
      `must be tls or raw_buffer, but is "${protocol}"`,
    );
  }
  return present({
    destinationPort: match.destinationPort,
    destinationCidrs: filled(match.prefixRanges.map(decodeCidr)),
    serverNames: filled(match.serverNames),
    transport: protocol === '' ? undefined : protocol === 'tls' ? ('tls' as const) : ('plain' as const),
    applicationProtocols: filled(match.applicationProtocols),
    directSourceCidrs: filled(match.directSourcePrefixRanges.map(decodeCidr)),
    sourceType: SOURCES.get(match.sourceType),
    sourceCidrs: filled(match.sourcePrefixRanges.map(decodeCidr)),
    sourcePorts: filled(match.sourcePorts),
  });
}

const SOURCES: ReadonlyMap<SourceType, NonNullable<ChainMatch['sourceType']>> = new Map([
  [SourceType.SAME_IP_OR_LOOPBACK, 'local'],
  [SourceType.EXTERNAL, 'external'],
] as const);
