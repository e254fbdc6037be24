import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRegistry, fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ClusterLoadAssignmentSchema } from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { FilterConfigSchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { HTTPFaultSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import { HeaderMutationSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/header_mutation/v3/header_mutation';
import { RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { RouterSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/router/v3/router';
import { TlsInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { TcpProxySchema } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { LeastRequestSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { RawBufferSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer';
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { HttpProtocolOptionsSchema } from '@tulle/xds-proto/envoy/extensions/upstreams/http/v3/http_protocol_options';
import { TypedStructSchema } from '@tulle/xds-proto/xds/type/v3/typed_struct';
import { encodeResource, type ResourceModels } from '../src/index.ts';
import type { ResourceKind } from '../src/provider.ts';

const registry = createRegistry(
  ClusterSchema,
  ClusterLoadAssignmentSchema,
  ListenerSchema,
  RouteConfigurationSchema,
  FilterConfigSchema,
  HTTPFaultSchema,
  HeaderMutationSchema,
  RBACSchema,
  RouterSchema,
  TlsInspectorSchema,
  HttpConnectionManagerSchema,
  TcpProxySchema,
  LeastRequestSchema,
  RawBufferSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  HttpProtocolOptionsSchema,
  TypedStructSchema,
);

/** A case is a file: a kind, a model, and the Envoy message (protobuf JSON) that it is written as. */
interface Case {
  readonly kind: ResourceKind;
  readonly model: ResourceModels[ResourceKind];
  readonly message: JsonValue;
}

const directory = join(import.meta.dirname, 'fixtures');

describe('the Envoy message of', () => {
  it.each(readdirSync(directory))('%s', (file) => {
    const { kind, model, message } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Case;
    const any = encodeResource(kind, model as never);
    const decoded = anyUnpack(any, registry);
    const desc = registry.getMessage(decoded?.$typeName ?? '');
    if (!desc) throw new Error(`no message for ${kind}`);
    expect(toJson(desc, fromBinary(desc, any.value), { registry, useProtoFieldName: true })).toEqual(message);
  });
});
