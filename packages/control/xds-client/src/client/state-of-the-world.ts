import { createHash } from 'node:crypto';
import { create, fromBinary } from '@bufbuild/protobuf';
import { type Any, anyIs } from '@bufbuild/protobuf/wkt';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  ResourceSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import type { ClientRequest, ReceivedResource, ServerResponse } from '../session/messages.ts';
import { milliseconds } from '../decode/values.ts';
import { TYPE_URLS } from '../wire.ts';
import { errorDetail } from './envelope.ts';

/** Of one type on one stream. */
interface TypeStream {
  readonly names: Set<string>;
  /** Listeners, clusters and scopes that the server has, as far as it said: what is in none of its responses is gone. */
  known: ReadonlySet<string>;
  /** Of the last response that was taken. */
  version: string;
  /** Of the last response. */
  nonce: string;
  /** Version of the last response, until it is answered. */
  unanswered: string | undefined;
  /** To be said with the answer. */
  node: Node | undefined;
}

/** Those of which a response holds all that there are. */
const TYPES_TOLD_WHOLE: ReadonlySet<string> = new Set([
  TYPE_URLS.listener,
  TYPE_URLS.cluster,
  TYPE_URLS['scoped-route'],
]);

/**
 * Turns what a session says and hears into state-of-the-world xDS: requests name everything that is wanted, and a response
 * with listeners, clusters or scopes holds all that there are. Versions of resources are hashes of their content, as
 * `@tulle/xds-server` makes them, because the protocol has one version for all of a type.
 */
export function createStateOfTheWorld(): {
  write(request: ClientRequest, node: Node | undefined): DiscoveryRequest | undefined;
  read(message: DiscoveryResponse): ServerResponse;
} {
  const types = new Map<string, TypeStream>();

  return {
    write(request, node) {
      const { typeUrl, nonce, error } = request;
      const stream = types.get(typeUrl) ?? newStream(request);
      types.set(typeUrl, stream);
      for (const name of request.subscribe) stream.names.add(name);
      for (const name of request.unsubscribe) stream.names.delete(name);
      stream.node = node ?? stream.node;
      if (nonce === '') {
        // A request with the nonce of a response is its answer; with an older one it is passed over.
        if (stream.unanswered !== undefined) return undefined;
      } else {
        // Of two responses in a row only the second is answered: it stands for both.
        if (nonce !== stream.nonce || stream.unanswered === undefined) return undefined;
        if (!error) stream.version = stream.unanswered;
        stream.unanswered = undefined;
      }
      const said = stream.node;
      stream.node = undefined;
      return create(DiscoveryRequestSchema, {
        typeUrl,
        versionInfo: stream.version,
        resourceNames: [...stream.names],
        responseNonce: stream.nonce,
        ...(said && { node: said }),
        ...(error && { errorDetail: errorDetail(error) }),
      });
    },
    read({ typeUrl, nonce, versionInfo, resources: sent }) {
      const resources = sent.map(readResource);
      const stream = types.get(typeUrl);
      let removed: string[] = [];
      if (stream) {
        stream.nonce = nonce;
        stream.unanswered = versionInfo;
        if (TYPES_TOLD_WHOLE.has(typeUrl)) {
          const names = new Set(resources.map(({ name }) => name));
          removed = [...stream.known].filter((name) => !names.has(name));
          stream.known = names;
        }
      }
      return { typeUrl, nonce, changeId: versionInfo, last: undefined, resources, removed };
    },
  };
}

function newStream({ initialVersions }: ClientRequest): TypeStream {
  return {
    names: new Set(),
    known: new Set(Object.keys(initialVersions)),
    version: '',
    nonce: '',
    unanswered: undefined,
    node: undefined,
  };
}

/** Some servers wrap resources to name them. */
function readResource(any: Any): ReceivedResource {
  if (!anyIs(any, ResourceSchema)) return { name: nameOf(any.value), version: versionOf(any.value), any };
  try {
    const { name, resource, ttl } = fromBinary(ResourceSchema, any.value);
    return {
      ...(ttl && { ttlMs: milliseconds(ttl) }),
      name: name === '' && resource ? nameOf(resource.value) : name,
      version: resource || !ttl ? versionOf(resource?.value ?? any.value) : '',
      any: resource,
    };
  } catch {
    return { name: '', version: versionOf(any.value), any: undefined }; // refused where it is read
  }
}

/** Field 1 of every type that is asked for is the name. */
function nameOf(bytes: Uint8Array): string {
  let name = '';
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === WireType.LengthDelimited) name = reader.string();
      else reader.skip(type, field);
    }
  } catch {
    // the decoder says what is wrong with it
  }
  return name;
}

/** 128 bits of SHA-256, URL-safe. */
function versionOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest().subarray(0, 16).toString('base64url');
}
