import { isMessage } from '@bufbuild/protobuf';
import type { CertificateSource, DownstreamTls, TrustSource, UpstreamTls } from '@tulle/model';
import type { DataSource, TransportSocket } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { RawBufferSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer';
import {
  type CertificateValidationContext,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType as SanType,
  type TlsParameters,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/common';
import type { SdsSecretConfig } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import {
  type CommonTlsContext,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { MESH_ROOTS_SECRET, WORKLOAD_SECRET } from '../wire.ts';
import { checkSource } from './config-source.ts';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

/** @returns `undefined` for plain text */
export function decodeDownstreamTls(
  context: DecodeContext,
  socket: TransportSocket | undefined,
  path: string,
): DownstreamTls | undefined {
  const message = openSocket(context, socket, path);
  if (!message || isMessage(message, RawBufferSchema)) return undefined;
  if (!isMessage(message, DownstreamTlsContextSchema) || !message.commonTlsContext) {
    context.refuse(path, 'must be a DownstreamTlsContext with a common_tls_context, or a RawBuffer');
    return undefined;
  }
  const { certificate, trust, allowedIds, ...rest } = decodeCommon(
    context,
    message.commonTlsContext,
    `${path}.typed_config.common_tls_context`,
  );
  if (!certificate)
    context.refuse(
      `${path}.typed_config.common_tls_context`,
      'names no certificate: give tls_certificates or tls_certificate_sds_secret_configs',
    );
  const required = message.requireClientCertificate ?? false;
  const clientCertificate = trust
    ? required
      ? undefined
      : ('accept' as const)
    : required
      ? ('require' as const)
      : undefined;
  return present({
    certificate: certificate ?? { kind: 'workload' as const },
    trust,
    clientCertificate,
    allowedIds,
    ...rest,
  });
}

/** @returns `undefined` for plain text */
export function decodeUpstreamTls(
  context: DecodeContext,
  socket: TransportSocket | undefined,
  path: string,
): UpstreamTls | undefined {
  const message = openSocket(context, socket, path);
  if (!message || isMessage(message, RawBufferSchema)) return undefined;
  if (!isMessage(message, UpstreamTlsContextSchema) || !message.commonTlsContext) {
    context.refuse(path, 'must be an UpstreamTlsContext with a common_tls_context, or a RawBuffer');
    return undefined;
  }
  const { trust, ...rest } = decodeCommon(
    context,
    message.commonTlsContext,
    `${path}.typed_config.common_tls_context`,
  );
  if (!trust)
    context.refuse(
      `${path}.typed_config.common_tls_context`,
      'names no roots: this proxy does not talk TLS to somebody it cannot verify',
    );
  const serverName = message.sni === '' ? undefined : message.sni;
  // How many are kept is the proxy's own affair; none is a matter of policy.
  const sessionResumption = message.maxSessionKeys === 0 ? false : undefined;
  return present({ trust: trust ?? { kind: 'mesh' as const }, serverName, sessionResumption, ...rest });
}

function openSocket(
  context: DecodeContext,
  socket: TransportSocket | undefined,
  path: string,
): ReturnType<DecodeContext['open']> {
  if (!socket) return undefined;
  const { configType } = socket;
  return context.open(
    configType.case === 'typedConfig' ? configType.value : undefined,
    `${path}.typed_config`,
  );
}

interface CommonTls {
  readonly certificate?: CertificateSource;
  readonly trust?: TrustSource;
  readonly allowedIds?: readonly string[];
  readonly alpn?: readonly string[];
  readonly minVersion?: 'TLSv1.2';
}

function decodeCommon(context: DecodeContext, common: CommonTlsContext, path: string): CommonTls {
  const validation = common.validationContextType;
  let trust: TrustSource | undefined;
  let allowedIds: readonly string[] | undefined;
  if (validation.case === 'validationContext') {
    const here = `${path}.validation_context`;
    trust = decodeRoots(context, validation.value, here);
    allowedIds = decodeAllowedIds(context, validation.value.matchTypedSubjectAltNames, here);
  } else if (validation.case === 'validationContextSdsSecretConfig') {
    trust = meshRoots(context, validation.value, `${path}.validation_context_sds_secret_config`);
  } else if (validation.case === 'combinedValidationContext') {
    const here = `${path}.combined_validation_context`;
    const { defaultValidationContext: given, validationContextSdsSecretConfig: secret } = validation.value;
    trust = meshRoots(context, secret, `${here}.validation_context_sds_secret_config`);
    if (given?.trustedCa || given?.systemRootCerts)
      context.refuse(`${here}.default_validation_context`, 'must not name roots beside those of the secret');
    if (given)
      allowedIds = decodeAllowedIds(
        context,
        given.matchTypedSubjectAltNames,
        `${here}.default_validation_context`,
      );
  }
  return present({
    certificate: decodeCertificate(context, common, path),
    trust,
    allowedIds,
    alpn: filled(common.alpnProtocols),
    minVersion: decodeVersions(context, common.tlsParams, `${path}.tls_params`),
  });
}

function decodeCertificate(
  context: DecodeContext,
  common: CommonTlsContext,
  path: string,
): CertificateSource | undefined {
  const { tlsCertificates, tlsCertificateSdsSecretConfigs: secrets } = common;
  if (tlsCertificates.length + secrets.length > 1)
    context.refuse(path, 'names more than one certificate; this proxy shows one');
  const [secret] = secrets;
  if (secret) {
    const here = `${path}.tls_certificate_sds_secret_configs[0]`;
    if (secret.name !== WORKLOAD_SECRET)
      context.refuse(
        `${here}.name`,
        `must be "${WORKLOAD_SECRET}", the workload's own certificate, but is "${secret.name}"`,
      );
    checkSource(context, secret.sdsConfig, `${here}.sds_config`);
    return { kind: 'workload' };
  }
  const [given] = tlsCertificates;
  if (!given) return undefined;
  const [chain, key] = [given.certificateChain?.specifier, given.privateKey?.specifier];
  if (chain?.case === 'filename' && key?.case === 'filename')
    return { kind: 'files', certificateFile: chain.value, keyFile: key.value };
  if (chain?.case === 'inlineString' && key?.case === 'inlineString')
    return { kind: 'inline', certificatePem: chain.value, keyPem: key.value };
  context.refuse(
    `${path}.tls_certificates[0]`,
    'must name chain and key both as filename or both as inline_string',
  );
  return undefined;
}

function decodeRoots(
  context: DecodeContext,
  validation: CertificateValidationContext,
  path: string,
): TrustSource | undefined {
  const { trustedCa, systemRootCerts } = validation;
  if (trustedCa && systemRootCerts) context.refuse(path, 'must name either trusted_ca or system_root_certs');
  if (systemRootCerts) return { kind: 'system' };
  if (!trustedCa) return undefined;
  return rootsFrom(context, trustedCa, `${path}.trusted_ca`);
}

function rootsFrom(context: DecodeContext, { specifier }: DataSource, path: string): TrustSource | undefined {
  if (specifier.case === 'filename') return { kind: 'files', caFile: specifier.value };
  if (specifier.case === 'inlineString') return { kind: 'inline', caPem: specifier.value };
  context.refuse(path, 'must be a filename or an inline_string');
  return undefined;
}

function meshRoots(
  context: DecodeContext,
  secret: SdsSecretConfig | undefined,
  path: string,
): TrustSource | undefined {
  if (secret?.name !== MESH_ROOTS_SECRET)
    context.refuse(
      `${path}.name`,
      `must be "${MESH_ROOTS_SECRET}", the mesh's roots, but is "${secret?.name ?? ''}"`,
    );
  checkSource(context, secret?.sdsConfig, `${path}.sds_config`);
  return { kind: 'mesh' };
}

/** An exact match of the empty string, which no certificate has, says that nobody is allowed. */
function decodeAllowedIds(
  context: DecodeContext,
  matchers: readonly SubjectAltNameMatcher[],
  path: string,
): readonly string[] | undefined {
  if (matchers.length === 0) return undefined;
  const ids: string[] = [];
  for (const [index, { sanType, matcher }] of matchers.entries()) {
    const here = `${path}.match_typed_subject_alt_names[${index}]`;
    const pattern = matcher?.matchPattern;
    if (sanType !== SanType.URI)
      context.refuse(`${here}.san_type`, 'must be URI: peers are told apart by SPIFFE id');
    if (matcher?.ignoreCase === true) context.refuse(`${here}.matcher.ignore_case`, 'must be false');
    if (pattern?.case === 'exact') {
      if (pattern.value !== '') ids.push(pattern.value);
    } else if (pattern?.case === 'prefix' && pattern.value.endsWith('/')) ids.push(`${pattern.value}*`);
    else context.refuse(`${here}.matcher`, 'must be exact, or a prefix that ends in a slash');
  }
  return ids;
}

function decodeVersions(
  context: DecodeContext,
  params: TlsParameters | undefined,
  path: string,
): 'TLSv1.2' | undefined {
  const { tlsMinimumProtocolVersion: least, tlsMaximumProtocolVersion: most } = params ?? {};
  if (most !== undefined && most !== TlsProtocol.TLS_AUTO && most !== TlsProtocol.TLSv1_3) {
    context.refuse(`${path}.tls_maximum_protocol_version`, 'must be TLSv1_3');
  }
  if (least === TlsProtocol.TLSv1_0 || least === TlsProtocol.TLSv1_1)
    context.refuse(`${path}.tls_minimum_protocol_version`, 'must be TLSv1_2 or TLSv1_3');
  return least === TlsProtocol.TLSv1_2 ? 'TLSv1.2' : undefined;
}
