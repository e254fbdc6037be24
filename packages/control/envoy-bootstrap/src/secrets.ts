import { create, merge, type Registry } from '@bufbuild/protobuf';
import { type Any, anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import type { Cluster } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import type { TransportSocket } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { ConfigSource } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
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

/** A secret that comes from a file of its own, which holds a DiscoveryResponse. */
export interface SecretFile {
  readonly name: string;
  /** Absolute, or relative to where the proxy was started. */
  readonly path: string;
  /** Envoy `watched_directory`: changes are looked for there. */
  readonly watchedDirectory?: string;
}

/** Secrets that are here, and what to say of those that are not. */
export interface SecretStore {
  /** `static_resources.secrets`. */
  fixed(name: string): Secret | undefined;
  /** From a file. @returns why there is none, as text */
  ofFile(file: SecretFile): Secret | string;
}

type Refuse = (path: string, message: string) => void;

/** Puts secrets in the place of references to them, in the TLS contexts of a listener; those of ADS stay. */
export function fillListener(
  listener: Listener,
  path: string,
  registry: Registry,
  store: SecretStore,
  refuse: Refuse,
): void {
  for (const [index, chain] of listener.filterChains.entries())
    fillSocket(
      chain.transportSocket,
      `${path}.filter_chains[${index}].transport_socket`,
      registry,
      store,
      refuse,
    );
  fillSocket(
    listener.defaultFilterChain?.transportSocket,
    `${path}.default_filter_chain.transport_socket`,
    registry,
    store,
    refuse,
  );
}

/** The same for a cluster. */
export function fillCluster(
  cluster: Cluster,
  path: string,
  registry: Registry,
  store: SecretStore,
  refuse: Refuse,
): void {
  fillSocket(cluster.transportSocket, `${path}.transport_socket`, registry, store, refuse);
  for (const [index, { transportSocket }] of cluster.transportSocketMatches.entries())
    fillSocket(
      transportSocket,
      `${path}.transport_socket_matches[${index}].transport_socket`,
      registry,
      store,
      refuse,
    );
}

function fillSocket(
  socket: TransportSocket | undefined,
  path: string,
  registry: Registry,
  store: SecretStore,
  refuse: Refuse,
): void {
  if (socket?.configType.case !== 'typedConfig') return;
  const schema = schemaOf(socket.configType.value);
  if (schema === undefined) return;
  const context = anyUnpack(socket.configType.value, registry) as
    | DownstreamTlsContext
    | UpstreamTlsContext
    | undefined;
  if (context?.commonTlsContext === undefined) return;
  fillCommon(context.commonTlsContext, `${path}.typed_config.common_tls_context`, store, refuse);
  if (
    'sessionTicketKeysType' in context &&
    context.sessionTicketKeysType.case === 'sessionTicketKeysSdsSecretConfig'
  ) {
    const here = `${path}.typed_config.session_ticket_keys_sds_secret_config`;
    const secret = secretOf(context.sessionTicketKeysType.value, here, store, refuse);
    if (secret?.type.case === 'sessionTicketKeys')
      context.sessionTicketKeysType = { case: 'sessionTicketKeys', value: secret.type.value };
    else if (secret !== undefined)
      refuse(here, `${JSON.stringify(secret.name)} holds no session_ticket_keys`);
  }
  socket.configType.value = anyPack(schema as typeof UpstreamTlsContextSchema, context as UpstreamTlsContext);
}

function schemaOf({
  typeUrl,
}: Any): typeof DownstreamTlsContextSchema | typeof UpstreamTlsContextSchema | undefined {
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  if (name === DownstreamTlsContextSchema.typeName) return DownstreamTlsContextSchema;
  return name === UpstreamTlsContextSchema.typeName ? UpstreamTlsContextSchema : undefined;
}

function fillCommon(common: CommonTlsContext, path: string, store: SecretStore, refuse: Refuse): void {
  const left: SdsSecretConfig[] = [];
  for (const [index, config] of common.tlsCertificateSdsSecretConfigs.entries()) {
    const here = `${path}.tls_certificate_sds_secret_configs[${index}]`;
    if (isOverAds(config)) {
      left.push(config);
      continue;
    }
    const secret = secretOf(config, here, store, refuse);
    if (secret?.type.case === 'tlsCertificate') common.tlsCertificates.push(secret.type.value);
    else if (secret !== undefined) refuse(here, `${JSON.stringify(secret.name)} holds no tls_certificate`);
  }
  common.tlsCertificateSdsSecretConfigs = left;
  const validation = common.validationContextType;
  if (validation.case === 'validationContextSdsSecretConfig' && !isOverAds(validation.value)) {
    const found = validationOf(
      validation.value,
      `${path}.validation_context_sds_secret_config`,
      store,
      refuse,
    );
    common.validationContextType =
      found === undefined ? { case: undefined } : { case: 'validationContext', value: found };
  } else if (validation.case === 'combinedValidationContext') {
    const { defaultValidationContext: given, validationContextSdsSecretConfig: config } = validation.value;
    if (config === undefined || isOverAds(config)) return;
    const here = `${path}.combined_validation_context.validation_context_sds_secret_config`;
    const found = validationOf(config, here, store, refuse);
    // What is discovered is merged over the default (Envoy, CombinedCertificateValidationContext).
    const whole = create(CertificateValidationContextSchema);
    if (given !== undefined) merge(CertificateValidationContextSchema, whole, given);
    if (found !== undefined) merge(CertificateValidationContextSchema, whole, found);
    common.validationContextType = { case: 'validationContext', value: whole };
  }
}

function validationOf(
  config: SdsSecretConfig,
  path: string,
  store: SecretStore,
  refuse: Refuse,
): CertificateValidationContext | undefined {
  const secret = secretOf(config, path, store, refuse);
  if (secret?.type.case === 'validationContext') return secret.type.value;
  if (secret !== undefined) refuse(path, `${JSON.stringify(secret.name)} holds no validation_context`);
  return undefined;
}

/** What is asked of ADS is the decoder's matter. */
const isOverAds = ({ sdsConfig }: SdsSecretConfig): boolean =>
  sdsConfig?.configSourceSpecifier.case === 'ads';

function secretOf(
  { name, sdsConfig }: SdsSecretConfig,
  path: string,
  store: SecretStore,
  refuse: Refuse,
): Secret | undefined {
  if (sdsConfig === undefined) {
    const secret = store.fixed(name);
    if (secret === undefined)
      refuse(`${path}.name`, `names no secret of static_resources.secrets: ${JSON.stringify(name)}`);
    return secret;
  }
  const file = fileOf(sdsConfig, name);
  if (file === undefined) {
    refuse(
      `${path}.sds_config`,
      'must be a path_config_source or ads, or absent for a secret of static_resources',
    );
    return undefined;
  }
  const found = store.ofFile(file);
  if (typeof found !== 'string') return found;
  refuse(`${path}.sds_config.path_config_source.path`, found);
  return undefined;
}

function fileOf({ configSourceSpecifier: source }: ConfigSource, name: string): SecretFile | undefined {
  if (source.case === 'path') return { name, path: source.value };
  if (source.case !== 'pathConfigSource') return undefined;
  const { path, watchedDirectory } = source.value;
  return { name, path, ...(watchedDirectory && { watchedDirectory: watchedDirectory.path }) };
}
