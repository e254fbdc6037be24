import { create, merge } from '@bufbuild/protobuf';
import { type Any, anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import type { Cluster } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import type { TransportSocket } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import {
  type CertificateValidationContext,
  CertificateValidationContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/common';
import type {
  SdsSecretConfig,
  Secret,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import {
  type CommonTlsContext,
  type DownstreamTlsContext,
  DownstreamTlsContextSchema,
  type UpstreamTlsContext,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { decodableTypes } from './context.ts';

/** What a reference is to: the field of `Secret` that is wanted. */
export type SecretType = 'tlsCertificate' | 'validationContext' | 'sessionTicketKeys';

/** The secret stays a reference, which the decoder knows. */
export const LEFT: unique symbol = Symbol('left');

/** Puts secrets in the place of references to them, in the TLS contexts of a resource. */
export interface SecretFiller {
  /** @returns `undefined` where there is none, after an issue */
  find(config: SdsSecretConfig, path: string, type: SecretType): Secret | typeof LEFT | undefined;
  refuse(path: string, message: string): void;
}

export function fillListener(filler: SecretFiller, listener: Listener, path: string): void {
  for (const [index, chain] of listener.filterChains.entries())
    fillSocket(filler, chain.transportSocket, `${path}filter_chains[${index}].transport_socket`);
  fillSocket(
    filler,
    listener.defaultFilterChain?.transportSocket,
    `${path}default_filter_chain.transport_socket`,
  );
}

export function fillCluster(filler: SecretFiller, cluster: Cluster, path: string): void {
  fillSocket(filler, cluster.transportSocket, `${path}transport_socket`);
  for (const [index, { transportSocket }] of cluster.transportSocketMatches.entries())
    fillSocket(filler, transportSocket, `${path}transport_socket_matches[${index}].transport_socket`);
}

function fillSocket(filler: SecretFiller, socket: TransportSocket | undefined, path: string): void {
  if (socket?.configType.case !== 'typedConfig') return;
  const schema = schemaOf(socket.configType.value);
  const context = schema && opened(socket.configType.value);
  if (context?.commonTlsContext === undefined) return;
  let changed = fillCommon(filler, context.commonTlsContext, `${path}.typed_config.common_tls_context`);
  if (
    'sessionTicketKeysType' in context &&
    context.sessionTicketKeysType.case === 'sessionTicketKeysSdsSecretConfig'
  ) {
    const here = `${path}.typed_config.session_ticket_keys_sds_secret_config`;
    const secret = secretOf(filler, context.sessionTicketKeysType.value, here, 'sessionTicketKeys');
    if (secret?.type.case === 'sessionTicketKeys') {
      context.sessionTicketKeysType = { case: 'sessionTicketKeys', value: secret.type.value };
      changed = true;
    }
  }
  if (changed)
    socket.configType.value = anyPack(
      schema as typeof UpstreamTlsContextSchema,
      context as UpstreamTlsContext,
    );
}

function opened(any: Any): DownstreamTlsContext | UpstreamTlsContext | undefined {
  try {
    return anyUnpack(any, decodableTypes) as DownstreamTlsContext | UpstreamTlsContext | undefined;
  } catch {
    return undefined; // the decoder says what is wrong with it
  }
}

function schemaOf({
  typeUrl,
}: Any): typeof DownstreamTlsContextSchema | typeof UpstreamTlsContextSchema | undefined {
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  if (name === DownstreamTlsContextSchema.typeName) return DownstreamTlsContextSchema;
  return name === UpstreamTlsContextSchema.typeName ? UpstreamTlsContextSchema : undefined;
}

/** @returns whether anything was put in */
function fillCommon(filler: SecretFiller, common: CommonTlsContext, path: string): boolean {
  let changed = false;
  const left: SdsSecretConfig[] = [];
  for (const [index, config] of common.tlsCertificateSdsSecretConfigs.entries()) {
    const here = `${path}.tls_certificate_sds_secret_configs[${index}]`;
    const secret = secretOf(filler, config, here, 'tlsCertificate');
    if (secret?.type.case === 'tlsCertificate') {
      common.tlsCertificates.push(secret.type.value);
      changed = true;
    } else left.push(config);
  }
  common.tlsCertificateSdsSecretConfigs = left;
  const validation = common.validationContextType;
  if (validation.case === 'validationContextSdsSecretConfig') {
    const here = `${path}.validation_context_sds_secret_config`;
    const found = validationOf(filler, validation.value, here);
    if (!found) return changed;
    common.validationContextType = { case: 'validationContext', value: found };
  } else if (validation.case === 'combinedValidationContext') {
    const { defaultValidationContext: given, validationContextSdsSecretConfig: config } = validation.value;
    const here = `${path}.combined_validation_context.validation_context_sds_secret_config`;
    const found = config && validationOf(filler, config, here);
    if (!found) return changed;
    // What is discovered is merged over the default (Envoy, CombinedCertificateValidationContext).
    const whole = create(CertificateValidationContextSchema);
    if (given !== undefined) merge(CertificateValidationContextSchema, whole, given);
    merge(CertificateValidationContextSchema, whole, found);
    common.validationContextType = { case: 'validationContext', value: whole };
  } else return changed;
  return true;
}

function validationOf(
  filler: SecretFiller,
  config: SdsSecretConfig,
  path: string,
): CertificateValidationContext | undefined {
  const secret = secretOf(filler, config, path, 'validationContext');
  return secret?.type.case === 'validationContext' ? secret.type.value : undefined;
}

const FIELDS: Readonly<Record<SecretType, string>> = {
  tlsCertificate: 'tls_certificate',
  validationContext: 'validation_context',
  sessionTicketKeys: 'session_ticket_keys',
};

/** @returns one of the type that is wanted, or `undefined`: left, or refused */
function secretOf(
  { find, refuse }: SecretFiller,
  config: SdsSecretConfig,
  path: string,
  type: SecretType,
): Secret | undefined {
  const found = find(config, path, type);
  if (found === LEFT || found === undefined) return undefined;
  if (found.type.case === type) return found;
  refuse(path, `the secret ${JSON.stringify(found.name)} holds no ${FIELDS[type]}`);
  return undefined;
}
