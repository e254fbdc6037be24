import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { type Any, anyIs, AnySchema, StructSchema } from '@bufbuild/protobuf/wkt';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import type { Status } from '@tulle/xds-proto/google/rpc/status';
import { lengthPrefix, resourceHead, type WireResource } from '../encode/wire-resource.ts';
import { kindOfTypeUrl, SECRET_TYPE_URL, TYPE_PREFIX } from '../wire.ts';

/** A request in the words of the delta protocol, whatever was spoken. */
export interface StreamRequest {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Version by name that the client has from before; read in the first request of a type only. */
  readonly initialVersions: Readonly<Record<string, string>>;
  /** Of the response that this answers; `''` for none. */
  readonly nonce: string;
  /** Set when the response is refused. */
  readonly error?: {
    readonly message: string;
    /** Names that were refused, where the client says; the response's others were taken. */
    readonly refused?: readonly string[];
  };
}

/** A response to be written. */
export interface StreamResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  /** `''` for secrets, which belong to no change. */
  readonly changeId: string;
  readonly resources: readonly WireResource[];
  readonly removed: readonly string[];
  /** Of {@link removed}: said by a resource without content. */
  readonly absent?: readonly string[];
  /** For clients that hold what they get: whether the change is complete with this. */
  readonly last: boolean | undefined;
  /** Only names, versions and TTLs are said. */
  readonly heartbeat?: true;
}

/** One stream's way of speaking. */
export interface StreamProtocol<Message> {
  /** Whether each response with listeners or clusters holds all of them, and nothing else can be taken away. */
  readonly stateOfTheWorld: boolean;
  node(message: Message): Node | undefined;
  /** @returns `undefined` for a request that is late: it is about a response before the last, and is repeated by a later one */
  read(message: Message): StreamRequest | undefined;
  /** Resources were serialised once, when they were first sent to anybody, and are only copied here. */
  write(response: StreamResponse): Buffer;
}

/**
 * Incremental xDS.
 * @param identifier of the control plane. For clients that hold changes back it is JSON that says where in the change a
 *   response stands; to others it is a name, which Envoy shows and nobody reads.
 */
export function deltaProtocol(identifier: string): StreamProtocol<DeltaDiscoveryRequest> {
  return {
    stateOfTheWorld: false,
    node: (message) => message.node,
    read: (message) => ({
      typeUrl: message.typeUrl,
      subscribe: message.resourceNamesSubscribe,
      unsubscribe: message.resourceNamesUnsubscribe,
      initialVersions: message.initialResourceVersions,
      nonce: message.responseNonce,
      ...(message.errorDetail && { error: readError(message.errorDetail) }),
    }),
    write({ typeUrl, nonce, changeId, resources, removed, absent = [], last, heartbeat }) {
      const head = toBinary(
        DeltaDiscoveryResponseSchema,
        create(DeltaDiscoveryResponseSchema, {
          systemVersionInfo: changeId,
          typeUrl,
          nonce,
          removedResources: removed.filter((name) => !absent.includes(name)),
          // Envoy takes a resource without content for what it is where it has an alias.
          resources: absent.map((name) => ({ name, aliases: [name] })),
          controlPlane: {
            identifier:
              last === undefined ? identifier : JSON.stringify({ identifier, change: changeId, last }),
          },
        }),
      );
      // Fields of a message may come in any order (protobuf encoding, "Message structure").
      return Buffer.concat([
        head,
        ...resources.flatMap((resource) => {
          const bytes = heartbeat ? resourceHead(resource) : resource.bytes;
          return [lengthPrefix(RESOURCES_TAG, bytes.length), bytes];
        }),
      ]);
    },
  };
}

/** Of one type on one stream. */
interface Asked {
  names: ReadonlySet<string>;
  /** Everything, because nothing was named yet. */
  all: boolean;
  /** Of the last response; `undefined` before the first. */
  nonce: string | undefined;
  answered: boolean;
}

/**
 * State-of-the-world xDS. A request names everything that is wanted, and stands for an answer where it has the nonce of
 * the last response (xDS "ACK/NACK and resource type instance version").
 * @param serves types that are answered; what else is asked for is not remembered, since a client may name types without end
 */
export function stateOfTheWorldProtocol(
  identifier: string,
  serves: (typeUrl: string) => boolean = isModelType,
): StreamProtocol<DiscoveryRequest> {
  const types = new Map<string, Asked>();
  const of = (typeUrl: string): Asked => {
    let asked = types.get(typeUrl);
    if (!asked) {
      asked = { names: new Set(), all: false, nonce: undefined, answered: true };
      if (serves(typeUrl)) types.set(typeUrl, asked);
    }
    return asked;
  };
  return {
    stateOfTheWorld: true,
    node: (message) => message.node,
    read({ typeUrl, resourceNames, responseNonce, errorDetail }) {
      const first = !types.has(typeUrl);
      const asked = of(typeUrl);
      if (asked.nonce !== undefined && responseNonce !== '' && responseNonce !== asked.nonce)
        return undefined;
      const answers = asked.nonce !== undefined && responseNonce === asked.nonce && !asked.answered;
      if (answers) asked.answered = true;
      const names = new Set(resourceNames);
      const subscribe = [...names].filter((name) => !asked.names.has(name));
      const unsubscribe = [...asked.names].filter((name) => !names.has(name));
      if (first) asked.all = names.size === 0;
      else if (asked.all && names.size > 0) {
        asked.all = false;
        if (!names.has('*')) unsubscribe.push('*');
      }
      asked.names = names;
      return {
        typeUrl,
        subscribe,
        unsubscribe,
        initialVersions: {},
        nonce: answers ? responseNonce : '',
        ...(answers && errorDetail && { error: readError(errorDetail) }),
      };
    },
    write({ typeUrl, nonce, changeId, resources, heartbeat }) {
      Object.assign(of(typeUrl), { nonce, answered: false });
      const head = toBinary(
        DiscoveryResponseSchema,
        create(DiscoveryResponseSchema, {
          versionInfo: changeId === '' ? nonce : changeId,
          typeUrl,
          nonce,
          controlPlane: { identifier },
        }),
      );
      return Buffer.concat([
        head,
        ...resources.flatMap((resource) => {
          const any = anyOf(resource, heartbeat === true);
          return [lengthPrefix(RESOURCES_TAG, any.length), any];
        }),
      ]);
    },
  };
}

const isModelType = (typeUrl: string): boolean =>
  typeUrl === SECRET_TYPE_URL || kindOfTypeUrl(typeUrl) !== undefined;

const WRAPPER_TYPE_URL = `${TYPE_PREFIX}envoy.service.discovery.v3.Resource`;

/** A resource in a response of the state of the world: its message, or with a TTL a `Resource` with it (xDS "TTL"). */
function anyOf(resource: WireResource, heartbeat: boolean): Uint8Array {
  if (resource.ttlMs === undefined) return resource.bytes.subarray(resource.anyAt);
  const value = heartbeat ? resourceHead(resource) : resource.bytes;
  return toBinary(AnySchema, create(AnySchema, { typeUrl: WRAPPER_TYPE_URL, value }));
}

/** Tag of `DeltaDiscoveryResponse.resources` and of `DiscoveryResponse.resources` (field 2, length-delimited). */
const RESOURCES_TAG = 0x12;

/** Key of a NACK's details under which a Tulle client lists what it refused: `[{ name, reasons }]`. */
const REFUSED_DETAILS = 'tulle.dev/refused';

/** Longest reason that is kept of a client's NACK. */
const MAX_REASON = 16_384;

function readError({ message, details }: Status): NonNullable<StreamRequest['error']> {
  const refused = details.map(readRefused).find((names) => names !== undefined);
  const text = message === '' ? 'refused without a reason' : message.slice(0, MAX_REASON);
  return refused ? { message: text, refused } : { message: text };
}

function readRefused(any: Any): readonly string[] | undefined {
  const list = readStruct(any)[REFUSED_DETAILS];
  if (!Array.isArray(list)) return undefined;
  return list.flatMap((one: unknown) =>
    typeof one === 'object' && one !== null && 'name' in one && typeof one.name === 'string'
      ? [one.name]
      : [],
  );
}

function readStruct(any: Any): Readonly<Record<string, unknown>> {
  try {
    return anyIs(any, StructSchema)
      ? (toJson(StructSchema, fromBinary(StructSchema, any.value)) as Record<string, unknown>)
      : {};
  } catch {
    return {}; // details that nobody can read say nothing; the message stands
  }
}
