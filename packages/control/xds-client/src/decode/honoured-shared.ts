import { HONOURED_OF_SOURCES } from './honoured-sources.ts';

/** Messages that many others hold: the part of {@link HONOURED} about them. */
export const HONOURED_BY_ALL: Readonly<Record<string, readonly string[]>> = {
  'envoy.config.core.v3.Address': ['socket_address', 'pipe', 'envoy_internal_address'],
  'envoy.config.core.v3.EnvoyInternalAddress': ['server_listener_name', 'endpoint_id'],
  'envoy.config.core.v3.SocketAddress': ['protocol', 'address', 'port_value'],
  'envoy.config.core.v3.Pipe': ['path'],
  'envoy.config.core.v3.CidrRange': ['address_prefix', 'prefix_len'],
  'envoy.config.core.v3.DataSource': [
    'filename',
    'inline_string',
    'inline_bytes',
    'environment_variable',
    'watched_directory',
  ],
  ...HONOURED_OF_SOURCES,
  'envoy.config.core.v3.TypedExtensionConfig': ['name', 'typed_config'],
  // Whose metadata is meant; those who ask for it refuse what they do not know.
  'envoy.type.metadata.v3.MetadataKind': ['request', 'route', 'host', 'cluster'],
  'envoy.type.metadata.v3.MetadataKind.Route': [],
  'envoy.type.metadata.v3.MetadataKind.Request': [],
  'envoy.type.metadata.v3.MetadataKind.Host': [],
  'envoy.type.metadata.v3.MetadataKind.Cluster': [],
  'envoy.type.v3.Percent': ['value'],
  'envoy.type.v3.Int64Range': ['start', 'end'],
  // Only the namespaces of wire.ts are read; others are notes of somebody else by definition of the field.
  'envoy.config.core.v3.Metadata': ['filter_metadata'],
};
