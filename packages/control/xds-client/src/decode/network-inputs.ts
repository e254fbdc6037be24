import type { DescMessage } from '@bufbuild/protobuf';
import type { ChainInput } from '@tulle/model';
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
  DirectSourceIPInputSchema,
  ServerNameInputSchema,
  SourceIPInputSchema,
  SourcePortInputSchema,
  SourceTypeInputSchema,
  TransportProtocolInputSchema,
} from '@tulle/xds-proto/envoy/extensions/matching/common_inputs/network/v3/network_inputs';

/** Inputs of a connection that are no more than their type. */
export const NETWORK_INPUTS: readonly (readonly [DescMessage, Exclude<ChainInput, object>])[] = [
  [DestinationIPInputSchema, 'destination-ip'],
  [DestinationPortInputSchema, 'destination-port'],
  [SourceIPInputSchema, 'source-ip'],
  [SourcePortInputSchema, 'source-port'],
  [DirectSourceIPInputSchema, 'direct-source-ip'],
  [SourceTypeInputSchema, 'source-type'],
  [ServerNameInputSchema, 'server-name'],
  [TransportProtocolInputSchema, 'transport-protocol'],
  [ApplicationProtocolInputSchema, 'application-protocols'],
];
