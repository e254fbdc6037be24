import {
  createRegistry,
  type DescMessage,
  fromBinary,
  type Message,
  type Registry,
} from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { ConfigIssue } from '@tulle/filter';
import type {
  Cluster,
  EndpointSet,
  Listener,
  RouteConfig,
  RouteScope,
  TraceProvider,
  VirtualHost,
} from '@tulle/model';
import {
  type Cluster as EnvoyCluster,
  ClusterSchema,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import {
  type TypedExtensionConfig,
  TypedExtensionConfigSchema,
} from '@tulle/xds-proto/envoy/config/core/v3/extension';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import {
  type Listener as EnvoyListener,
  ListenerSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route';
import {
  type VirtualHost as EnvoyVirtualHost,
  VirtualHostSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import {
  type ScopedRouteConfiguration,
  ScopedRouteConfigurationSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/scoped_route';
import { type Secret, SecretSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';
import { type ResourceKind, TYPE_URLS } from '../wire.ts';
import { decodeCluster } from './cluster.ts';
import { createDecodeContext, decodableTypes, type DecodeContext } from './context.ts';
import { decodeExtension, type ExtensionModel, type FindExtension } from './extension.ts';
import type { DiscoverySource, Need } from './discovery-source.ts';
import { decodeEndpointSet } from './endpoints.ts';
import type { FieldRules, Watch } from './field-walk.ts';
import { fillNames } from './fill-names.ts';
import { decodeListener } from './listener.ts';
import { fillCluster, fillListener } from './fill-secrets.ts';
import { decodeDiscoveredHost, decodeRouteConfig } from './route-config.ts';
import { decodeScope } from './scoped-routes.ts';
import { decodeSecret, type FindSecret, secretFiller, type SecretModel } from './secret.ts';

/** The model type of each kind. */
export interface ResourceModels {
  readonly listener: Listener;
  readonly route: RouteConfig;
  readonly cluster: Cluster;
  readonly endpoint: EndpointSet;
  readonly 'virtual-host': VirtualHostModel;
  readonly 'scoped-route': RouteScope;
  readonly secret: SecretModel;
  readonly extension: ExtensionModel;
}

/** A virtual host that is discovered. Its name tells its route configuration too: `<route configuration>/<name>`. */
export interface VirtualHostModel {
  readonly name: string;
  readonly virtualHost: VirtualHost;
}

/** What a resource names that is discovered, as far as it is here. */
export interface Discovered {
  /** Put into TLS contexts. Default: none is here. */
  readonly secret?: FindSecret;
  /** Put into filter chains. Default: none is here. */
  readonly extension?: FindExtension;
}

/** Any of them. */
export type ResourceModel = ResourceModels[ResourceKind];

/** What an operator lets pass although it is not honoured (decision D8). */
export interface DecodeOptions {
  /** Fields by full name, e.g. `envoy.config.listener.v3.Listener.access_log`: read over instead of refused. Default none. */
  readonly tolerateFields?: readonly string[];
  /** Where resources are to be had whose names say an authority and no source (`xdstp://authority/…`), by authority; `*` for all others. Default none. */
  readonly authorities?: ReadonlyMap<string, DiscoverySource>;
  /** Where spans go of handlers that have `tracing` without a provider (Envoy `Bootstrap.tracing`). Default nowhere. */
  readonly tracer?: TraceProvider;
  /** File that is told of ejections, for clusters that have outlier detection (Envoy `ClusterManager.OutlierDetection.event_log_path`). Default none. */
  readonly ejectionLog?: string;
  /** `node` of the proxy, which it tells endpoints where a listener says so (Envoy `add_user_agent`). Default: it has none. */
  readonly node?: { readonly id: string; readonly cluster?: string };
  /** Read over fields, and values of enums, that this version has no name for. Default false. */
  readonly allowUnknownFields?: boolean;
}

/** A translated resource, or everything that is wrong with it. */
export type Decoded<Kind extends ResourceKind = ResourceKind> =
  | {
      readonly ok: true;
      readonly resource: ResourceModels[Kind];
      /** What it names and has to be discovered, with its source. */
      readonly needs: readonly Need[];
      /** Where things are looked for when requests need them. */
      readonly sources: readonly DiscoverySource[];
    }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

/** Translates single resources. */
export interface ResourceDecoder {
  /**
   * @param any as it came; its type must be that of `kind`
   * @param found what is here of what it names; what is not here is noted, and something stands for it
   * @param origin where it came from, which `self` means; absent: it may name nothing but ADS as a source
   */
  decode<Kind extends ResourceKind>(
    kind: Kind,
    any: Any | undefined,
    origin?: DiscoverySource,
    found?: Discovered,
  ): Decoded<Kind>;
}

/**
 * @param watch see {@link FieldRules}
 * @returns a decoder that never throws: what cannot be read is refused with reasons
 */
export function createResourceDecoder(options: DecodeOptions = {}, watch?: Watch): ResourceDecoder {
  const rules: FieldRules = {
    tolerated: new Set(options.tolerateFields),
    allowUnknown: options.allowUnknownFields ?? false,
    ...(watch && { watch }),
  };
  const { id = '', cluster = '' } = options.node ?? {};
  const node = cluster === '' ? undefined : { cluster, id };
  return {
    decode<Kind extends ResourceKind>(
      kind: Kind,
      any: Any | undefined,
      origin?: DiscoverySource,
      found: Discovered = {},
    ): Decoded<Kind> {
      if (any?.typeUrl !== TYPE_URLS[kind]) {
        return {
          ok: false,
          issues: [
            {
              path: '',
              message: `must be a ${TYPE_URLS[kind]}, but is ${any ? any.typeUrl || '(no type)' : 'missing'}`,
            },
          ],
        };
      }
      const context = createDecodeContext(
        rules,
        origin,
        options.authorities,
        found.extension,
        options.tracer,
        node,
        options.ejectionLog,
      );
      try {
        const resource = fillNames(
          kind,
          translate(context, kind, any.value, found.secret, watch),
        ) as ResourceModels[Kind];
        if (resource.name === '') context.refuse(kind === 'endpoint' ? 'cluster_name' : 'name', 'is missing');
        if (context.issues.length === 0)
          return { ok: true, resource, needs: context.needs, sources: context.sources };
      } catch (cause) {
        context.refuse('', `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
      }
      return { ok: false, issues: context.issues };
    },
  };
}

/** What may stand in a resource's `Any`, and in those inside it. */
export const resourceTypes: Registry = createRegistry(
  decodableTypes,
  ListenerSchema,
  RouteConfigurationSchema,
  ClusterSchema,
  ClusterLoadAssignmentSchema,
  SecretSchema,
  TypedExtensionConfigSchema,
  VirtualHostSchema,
  ScopedRouteConfigurationSchema,
);

const SCHEMAS: Readonly<Record<ResourceKind, DescMessage>> = {
  listener: ListenerSchema,
  route: RouteConfigurationSchema,
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  'virtual-host': VirtualHostSchema,
  'scoped-route': ScopedRouteConfigurationSchema,
  secret: SecretSchema,
  extension: TypedExtensionConfigSchema,
};

function translate(
  context: DecodeContext,
  kind: ResourceKind,
  bytes: Uint8Array,
  secrets: FindSecret | undefined,
  watch: Watch | undefined,
): ResourceModel {
  const read: Message = fromBinary(SCHEMAS[kind], bytes);
  context.check(SCHEMAS[kind], read, '');
  const message = watch ? watch(SCHEMAS[kind], read, '') : read;
  switch (kind) {
    case 'listener':
      fillListener(secretFiller(context, secrets), message as EnvoyListener, '');
      return decodeListener(context, message as EnvoyListener);
    case 'route':
      return decodeRouteConfig(context, message as RouteConfiguration, '');
    case 'virtual-host': {
      const host = message as EnvoyVirtualHost;
      return { name: host.name, virtualHost: decodeDiscoveredHost(context, host) };
    }
    case 'scoped-route':
      return decodeScope(context, message as ScopedRouteConfiguration, '');
    case 'cluster':
      fillCluster(secretFiller(context, secrets), message as EnvoyCluster, '');
      return decodeCluster(context, message as EnvoyCluster);
    case 'endpoint':
      return decodeEndpointSet(context, message as ClusterLoadAssignment);
    case 'secret':
      return decodeSecret(context, message as Secret);
    case 'extension':
      return decodeExtension(context, message as TypedExtensionConfig);
  }
}
