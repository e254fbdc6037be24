import { milliseconds } from '../decode/values.ts';
import { create, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { type Any, anyPack, StructSchema } from '@bufbuild/protobuf/wkt';
import type { Locality } from '@tulle/model';
import { type Node, NodeSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { type Status, StatusSchema } from '@tulle/xds-proto/google/rpc/status';
import type { ClientRequest, ServerResponse } from '../session/messages.ts';
import type { Refusal } from '../session/refusals.ts';

/** Who this proxy says it is. */
export interface NodeDescription {
  /** Must agree with the SPIFFE id that the channel proves: that id, alone or followed by `~` and a name of the instance. */
  readonly id: string;
  /** Group of proxies, e.g. the workload's name. Default `''`. */
  readonly cluster?: string;
  /** Anything the control plane should know. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Filters that this proxy has, as `id@version` (decision D9). */
  readonly extensions?: readonly string[];
  /** Where it runs: region, zone and part of the zone. */
  readonly locality?: Locality;
  /** Version of the data plane. Default `0.0.0`. */
  readonly version?: string;
}

/** @param features what this proxy can do with a stream (`Node.client_features`) */
export function writeNode(node: NodeDescription, features: readonly string[]): Node {
  return create(NodeSchema, {
    id: node.id,
    cluster: node.cluster ?? '',
    ...(node.metadata && { metadata: JSON.parse(JSON.stringify(node.metadata)) as JsonObject }),
    ...(node.locality && { locality: { zone: '', subZone: '', ...node.locality } }),
    userAgentName: 'tulle',
    userAgentVersionType: { case: 'userAgentVersion', value: node.version ?? '0.0.0' },
    extensions: (node.extensions ?? []).map(writeExtension),
    clientFeatures: [...features],
  });
}

type ExtensionFields = {
  name: string;
  category: string;
  version?: {
    version: { majorNumber: number; minorNumber: number; patch: number };
    metadata: { version: string };
  };
};

/** Envoy has three numbers; the whole text of an npm version goes along as metadata. */
function writeExtension(extension: string): ExtensionFields {
  const at = extension.lastIndexOf('@');
  const category = 'tulle.filters';
  if (at <= 0) return { name: extension, category };
  const version = extension.slice(at + 1);
  const [major = 0, minor = 0, patch = 0] = version
    .split(/[.+-]/, 3)
    .map((part) => (/^\d{1,9}$/.test(part) ? Number(part) : 0));
  return {
    name: extension.slice(0, at),
    category,
    version: { version: { majorNumber: major, minorNumber: minor, patch }, metadata: { version } },
  };
}

/** Code of `google.rpc.Status` in a NACK: INVALID_ARGUMENT. */
const INVALID_ARGUMENT = 3;

/** @param node given in the first request of a stream, and where it has something new to say */
export function writeRequest(request: ClientRequest, node: Node | undefined): DeltaDiscoveryRequest {
  const { typeUrl, subscribe, unsubscribe, initialVersions, nonce, error } = request;
  return create(DeltaDiscoveryRequestSchema, {
    typeUrl,
    resourceNamesSubscribe: [...subscribe],
    resourceNamesUnsubscribe: [...unsubscribe],
    initialResourceVersions: { ...initialVersions },
    responseNonce: nonce,
    ...(node && { node }),
    ...(error && { errorDetail: errorDetail(error) }),
  });
}

/** A NACK's reasons. */
export function errorDetail({ message, refusals }: NonNullable<ClientRequest['error']>): Status {
  const details = refusals.length > 0 ? [refusedDetails(refusals)] : [];
  return create(StatusSchema, { code: INVALID_ARGUMENT, message, details });
}

/** Says which resources of the response were refused; the others were taken. Foreign servers read the message alone. */
function refusedDetails(refusals: readonly Refusal[]): Any {
  const refused = refusals.map(({ name, reasons }) => ({ name, reasons: [...reasons] }));
  return anyPack(StructSchema, fromJson(StructSchema, { 'tulle.dev/refused': refused }));
}

export function readResponse(message: DeltaDiscoveryResponse): ServerResponse {
  return {
    typeUrl: message.typeUrl,
    nonce: message.nonce,
    changeId: message.systemVersionInfo,
    last: readMark(message.controlPlane?.identifier),
    resources: message.resources.map(({ name, version, resource, ttl, aliases }) => ({
      name,
      version,
      any: resource,
      ...(ttl && { ttlMs: milliseconds(ttl) }),
      ...(aliases.length > 0 && { aliases }),
    })),
    removed: message.removedResources,
  };
}

/** Tulle's control plane says in its identifier whether a change is complete; any other has some name there. */
function readMark(identifier: string | undefined): boolean | undefined {
  if (!identifier?.startsWith('{')) return undefined;
  try {
    const mark: unknown = JSON.parse(identifier);
    const last =
      typeof mark === 'object' && mark !== null && 'change' in mark && 'last' in mark ? mark.last : undefined;
    return typeof last === 'boolean' ? last : undefined;
  } catch {
    return undefined;
  }
}
