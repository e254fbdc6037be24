import type { Address as ModelAddress, InternalAddress, ListenAddress, Passthrough } from '@tulle/model';
import type { Metadata } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { Address } from '@tulle/xds-proto/envoy/config/core/v3/address';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import type {
  InternalUpstreamTransport,
  InternalUpstreamTransport_MetadataValueSource as Source,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream';
import { TULLE_METADATA } from '../wire.ts';
import { decodeAddress } from './address.ts';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

type Passed = NonNullable<Passthrough['metadata']>[number];

/** Where a listener takes connections: of a socket, or of this process alone. */
export function decodeListenerAddress(
  context: DecodeContext,
  { name, address, additionalAddresses, listenerSpecifier }: Listener,
): ListenAddress | InternalAddress {
  if (listenerSpecifier.case !== 'internalListener') return decodeAddress(context, address, 'address');
  const where = address?.address;
  const isOwn = where?.case === 'envoyInternalAddress' && where.value.addressNameSpecifier.value === name;
  if (address !== undefined && !isOwn)
    context.refuse('address', 'must not stand beside internal_listener, whose address is its name');
  if (additionalAddresses.length > 0)
    context.refuse('additional_addresses', 'must not stand beside internal_listener');
  return { internal: name };
}

/** Where an endpoint is: an address, or a listener of this process. */
export function decodeEndpointAddress(
  context: DecodeContext,
  address: Address | undefined,
  path: string,
): ModelAddress | InternalAddress {
  const where = address?.address;
  // Whoever calls it says by what (as in Envoy): the protocol is for listeners.
  if (where?.case !== 'envoyInternalAddress') return decodeAddress(context, address, path, 'either');
  const { addressNameSpecifier: listener, endpointId } = where.value;
  const internal = listener.case === 'serverListenerName' ? listener.value : '';
  if (internal === '') context.refuse(`${path}.envoy_internal_address.server_listener_name`, 'is missing');
  return present({ internal, id: endpointId === '' ? undefined : endpointId });
}

/** What an endpoint says that a listener of this process may be told; of others nobody would read it. */
export function decodeEndpointMetadata(
  address: ModelAddress | InternalAddress,
  metadata: Metadata | undefined,
): Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined {
  if (!('internal' in address) || metadata === undefined) return undefined;
  const told = Object.entries(metadata.filterMetadata).filter(([namespace]) => namespace !== TULLE_METADATA);
  return told.length === 0 ? undefined : Object.fromEntries(told);
}

/**
 * What listeners of this process are told of a cluster's endpoints.
 * @param own metadata of the cluster
 * @param path of the transport socket's configuration
 */
export function decodePassthrough(
  context: DecodeContext,
  { passthroughMetadata }: InternalUpstreamTransport,
  own: Metadata | undefined,
  path: string,
): Passthrough {
  const metadata = passthroughMetadata.flatMap((source, index) =>
    decodeSource(context, source, own, `${path}.passthrough_metadata[${index}]`),
  );
  return present({ metadata: filled(metadata) });
}

function decodeSource(
  context: DecodeContext,
  { kind, name: namespace }: Source,
  own: Metadata | undefined,
  path: string,
): Passed[] {
  if (namespace === '') context.refuse(`${path}.name`, 'is missing');
  const from = kind?.kind.case;
  if (from === 'host') return [{ from: 'endpoint', namespace }];
  if (from !== 'cluster') {
    context.refuse(
      `${path}.kind`,
      'must be host or cluster, which is what there is when a connection is made',
    );
    return [];
  }
  const all = own?.filterMetadata ?? {};
  // What the cluster does not say it does not pass on.
  return Object.hasOwn(all, namespace) ? [{ from, namespace, values: all[namespace] ?? {} }] : [];
}
