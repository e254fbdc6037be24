import { Buffer } from 'node:buffer';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type {
  Listener as ModelListener,
  ProxyHeaderOptions,
  ProxyProtocol,
  ProxyProtocolVersion,
  ProxyTlv,
  TcpProxyTlvs,
} from '@tulle/model';
import { type TransportSocket, TransportSocketSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  ProxyProtocolConfig_Version as Version,
  type ProxyProtocolPassThroughTLVsSchema as PassSchema,
  ProxyProtocolPassThroughTLVs_PassTLVsMatchType as PassType,
  type TlvEntrySchema,
} from '@tulle/xds-proto/envoy/config/core/v3/proxy_protocol';
import {
  type ListenerFilter,
  ListenerFilterSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import {
  ProxyProtocol_KeyValuePair_ValueStringEncoding as Encoding,
  ProxyProtocol_TlvLocation as TlvLocation,
  ProxyProtocolSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol';
import {
  ProxyProtocolTlvMergePolicy as MergePolicy,
  type TcpProxySchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { ProxyProtocolUpstreamTransportSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol';
import type { Fields } from './values.ts';

/** The filter by which a listener reads headers of the PROXY protocol, where it does. */
export function encodeProxyProtocol({ proxyProtocol: rules }: ModelListener): ListenerFilter[] {
  if (rules === undefined) return [];
  const { optional = false, versions = [1, 2], tlvs = [], tlvsKeptIn, passesTlvs } = rules;
  const message = create(ProxyProtocolSchema, {
    allowRequestsWithoutProxyProtocol: optional,
    disallowedVersions: [
      ...(versions.includes(1) ? [] : [Version.V1]),
      ...(versions.includes(2) ? [] : [Version.V2]),
    ],
    rules: tlvs.map(({ type, key, namespace = '', base64 = false }) => ({
      tlvType: type,
      onTlvPresent: {
        key,
        metadataNamespace: namespace,
        valueStringEncoding: base64 ? Encoding.BASE64 : Encoding.UNSPECIFIED,
      },
    })),
    tlvLocation: tlvsKeptIn === 'filter-state' ? TlvLocation.FILTER_STATE : TlvLocation.DYNAMIC_METADATA,
    ...(passesTlvs && { passThroughTlvs: passed(passesTlvs) }),
  });
  return [
    create(ListenerFilterSchema, {
      name: 'envoy.filters.listener.proxy_protocol',
      configType: { case: 'typedConfig', value: anyPack(ProxyProtocolSchema, message) },
    }),
  ];
}

function passed(types: NonNullable<ProxyProtocol['passesTlvs']>): Fields<typeof PassSchema> {
  return types === 'all'
    ? { matchType: PassType.INCLUDE_ALL }
    : { matchType: PassType.INCLUDE, tlvType: [...types] };
}

/** A transport socket whose connections begin with such a header, around `socket`. */
export function withProxyHeader(
  socket: TransportSocket,
  version: ProxyProtocolVersion,
  { passes, adds = [], unaddressed = false }: ProxyHeaderOptions = {},
): TransportSocket {
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    configType: {
      case: 'typedConfig',
      value: anyPack(
        ProxyProtocolUpstreamTransportSchema,
        create(ProxyProtocolUpstreamTransportSchema, {
          config: {
            version: version === 1 ? Version.V1 : Version.V2,
            addedTlvs: adds.map(entry),
            ...(passes && { passThroughTlvs: passed(passes) }),
          },
          allowUnspecifiedAddress: unaddressed,
          transportSocket: socket,
        }),
      ),
    },
  });
}

function entry({ type, valueBase64 }: ProxyTlv): Fields<typeof TlvEntrySchema> {
  return { type, value: Buffer.from(valueBase64, 'base64') };
}

/** What a chain of bytes adds. */
export function tcpTlvs({ adds, where = 'absent' }: TcpProxyTlvs): Fields<typeof TcpProxySchema> {
  return {
    proxyProtocolTlvs: adds.map((one) =>
      'format' in one
        ? {
            type: one.type,
            formatString: {
              format: {
                case: 'textFormatSource',
                value: { specifier: { case: 'inlineString', value: one.format } },
              },
            },
          }
        : entry(one),
    ),
    proxyProtocolTlvMergePolicy: POLICIES[where],
  };
}

const POLICIES = {
  absent: MergePolicy.ADD_IF_ABSENT,
  replace: MergePolicy.OVERWRITE_BY_TYPE_IF_EXISTS_OR_ADD,
  append: MergePolicy.APPEND_IF_EXISTS_OR_ADD,
} as const;
