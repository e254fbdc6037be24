import { Buffer } from 'node:buffer';
import type {
  ProxyHeaderOptions,
  ProxyProtocol,
  ProxyProtocolVersion,
  ProxyTlv,
  ProxyTlvRule,
  TcpProxyTlvs,
} from '@tulle/model';
import {
  type ProxyProtocolConfig,
  ProxyProtocolConfig_Version as Version,
  type ProxyProtocolPassThroughTLVs as PassTlvs,
  ProxyProtocolPassThroughTLVs_PassTLVsMatchType as PassType,
  type TlvEntry,
} from '@tulle/xds-proto/envoy/config/core/v3/proxy_protocol';
import {
  type ProxyProtocol as EnvoyProxyProtocol,
  ProxyProtocol_KeyValuePair_ValueStringEncoding as Encoding,
  ProxyProtocol_TlvLocation as TlvLocation,
} from '@tulle/xds-proto/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol';
import {
  ProxyProtocolTlvMergePolicy as MergePolicy,
  type TcpProxy,
} from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import type { ProxyProtocolUpstreamTransport } from '@tulle/xds-proto/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol';
import type { DecodeContext } from './context.ts';
import { decodeTextFormat } from './formatters.ts';
import { filled, present } from './values.ts';

const VERSIONS: ReadonlyMap<1 | 2, Version> = new Map([
  [1, Version.V1],
  [2, Version.V2],
] as const);

/** What is read of headers of the PROXY protocol. @param path of the listener filter's configuration */
export function decodeProxyProtocol(
  context: DecodeContext,
  message: EnvoyProxyProtocol,
  path: string,
): ProxyProtocol {
  const { disallowedVersions, passThroughTlvs } = message;
  const versions = [...VERSIONS].filter(([, version]) => !disallowedVersions.includes(version));
  if (versions.length === 0) context.refuse(`${path}.disallowed_versions`, 'leaves no version to read');
  const inState = message.tlvLocation === TlvLocation.FILTER_STATE;
  return present({
    optional: message.allowRequestsWithoutProxyProtocol ? true : undefined,
    versions: versions.length === VERSIONS.size ? undefined : versions.map(([version]) => version),
    tlvs: filled(
      message.rules.map(({ tlvType: type, onTlvPresent }, index): ProxyTlvRule => {
        const here = `${path}.rules[${index}]`;
        checkType(context, type, `${here}.tlv_type`);
        const { key = '', metadataNamespace = '', valueStringEncoding } = onTlvPresent ?? {};
        if (key === '') context.refuse(`${here}.on_tlv_present.key`, 'is missing');
        return present({
          type,
          key,
          namespace: metadataNamespace === '' ? undefined : metadataNamespace,
          base64: valueStringEncoding === Encoding.BASE64 ? true : undefined,
        });
      }),
    ),
    tlvsKeptIn: inState ? ('filter-state' as const) : undefined,
    passesTlvs: decodePassed(context, passThroughTlvs, `${path}.pass_through_tlvs`),
  });
}

function decodePassed(
  context: DecodeContext,
  passed: PassTlvs | undefined,
  path: string,
): 'all' | readonly number[] | undefined {
  for (const [index, type] of passed?.tlvType.entries() ?? [])
    checkType(context, type, `${path}.tlv_type[${index}]`);
  if (passed === undefined) return undefined;
  if (passed.matchType === PassType.INCLUDE_ALL) return 'all';
  return filled(passed.tlvType);
}

function checkType(context: DecodeContext, type: number, path: string): void {
  if (type > 255) context.refuse(path, `is ${type}: types are 0 to 255`);
}

/** The version, where nothing else may be said. */
export function decodePlainHeader(
  context: DecodeContext,
  config: ProxyProtocolConfig,
  path: string,
): ProxyProtocolVersion {
  if (config.passThroughTlvs) context.refuse(`${path}.pass_through_tlvs`, 'is not honoured here');
  if (config.addedTlvs.length > 0) context.refuse(`${path}.added_tlvs`, 'is not honoured here');
  return versionOf(config);
}

function versionOf(config: ProxyProtocolConfig | undefined): ProxyProtocolVersion {
  return config?.version === Version.V2 ? 2 : 1;
}

/** What connections to endpoints begin with. @param path of the transport socket's configuration */
export function decodeProxyHeader(
  context: DecodeContext,
  { config, allowUnspecifiedAddress }: ProxyProtocolUpstreamTransport,
  path: string,
): { readonly proxyProtocol: ProxyProtocolVersion; readonly proxyHeader?: ProxyHeaderOptions } {
  const here = `${path}.config`;
  const adds = (config?.addedTlvs ?? []).flatMap((entry, index): ProxyTlv[] => {
    const at = `${here}.added_tlvs[${index}]`;
    if (entry.formatString) {
      // Envoy asks the connection to the endpoint there, which is nobody's request.
      context.refuse(`${at}.format_string`, 'must be a value: formats are honoured in proxy_protocol_tlvs');
      return [];
    }
    return decodeTlv(context, entry, at);
  });
  const header: ProxyHeaderOptions = present({
    passes: decodePassed(context, config?.passThroughTlvs, `${here}.pass_through_tlvs`),
    adds: filled(adds),
    unaddressed: allowUnspecifiedAddress ? true : undefined,
  });
  return present({
    proxyProtocol: versionOf(config),
    proxyHeader: Object.keys(header).length === 0 ? undefined : header,
  });
}

function decodeTlv(context: DecodeContext, { type, value }: TlvEntry, path: string): ProxyTlv[] {
  checkType(context, type, `${path}.type`);
  if (value.length === 0) context.refuse(`${path}.value`, 'is missing');
  if (value.length > 65_535) context.refuse(`${path}.value`, 'has more than 65,535 bytes');
  return [{ type, valueBase64: Buffer.from(value).toString('base64') }];
}

/** What a chain of bytes adds. @param path of the TcpProxy */
export function decodeTcpTlvs(
  context: DecodeContext,
  { proxyProtocolTlvs: entries, proxyProtocolTlvMergePolicy: policy, tunnelingConfig }: TcpProxy,
  path: string,
): TcpProxyTlvs | undefined {
  if (entries.length === 0) return undefined;
  const here = `${path}.proxy_protocol_tlvs`;
  if (tunnelingConfig) context.refuse(here, 'must not stand beside tunneling_config');
  const adds = entries.flatMap((entry, index): TcpProxyTlvs['adds'][number][] => {
    const at = `${here}[${index}]`;
    if (!entry.formatString) return decodeTlv(context, entry, at);
    checkType(context, entry.type, `${at}.type`);
    if (entry.value.length > 0) context.refuse(`${at}.value`, 'must not stand beside format_string');
    return [
      { type: entry.type, format: decodeTextFormat(context, entry.formatString, `${at}.format_string`) },
    ];
  });
  return present({ adds, where: WHERE.get(policy) });
}

const WHERE: ReadonlyMap<MergePolicy, TcpProxyTlvs['where']> = new Map([
  [MergePolicy.OVERWRITE_BY_TYPE_IF_EXISTS_OR_ADD, 'replace'],
  [MergePolicy.APPEND_IF_EXISTS_OR_ADD, 'append'],
] as const);
