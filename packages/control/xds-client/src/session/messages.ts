import type { Any } from '@bufbuild/protobuf/wkt';
import type { DiscoverySource } from '../decode/discovery-source.ts';
import type { Refusal } from './refusals.ts';

/** A delta request, to be written as protobuf. */
export interface ClientRequest {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** In the first request of a type: version by name of what is here from before. */
  readonly initialVersions: Readonly<Record<string, string>>;
  /** Of the response that this answers; `''` for none. */
  readonly nonce: string;
  /** Set to refuse the response. */
  readonly error?: { readonly message: string; readonly refusals: readonly Refusal[] };
  /** Whom to ask; absent: the stream of the session. */
  readonly source?: DiscoverySource;
}

/** A delta response, read from protobuf. */
export interface ServerResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  /** `system_version_info`: for logs, and the version of the configuration that is made of it. */
  readonly changeId: string;
  /** Given by servers that say where in a change a response stands. */
  readonly last: boolean | undefined;
  readonly resources: readonly ReceivedResource[];
  readonly removed: readonly string[];
  /** Whose answer it is; absent: of the session's stream, and what it names comes over that as well. */
  readonly source?: DiscoverySource;
}

/** A resource as it came. */
export interface ReceivedResource {
  readonly name: string;
  readonly version: string;
  /** Without one, but with a TTL, it is a heartbeat: what is here stays. */
  readonly any: Any | undefined;
  /** How long it is good without being said again; absent: for ever. */
  readonly ttlMs?: number;
  /** Other names under which it was asked for. */
  readonly aliases?: readonly string[];
}

/** Answers, subscribes and unsubscribes by nothing unless said. */
export function clientRequest(typeUrl: string, fields: Partial<ClientRequest>): ClientRequest {
  return { typeUrl, subscribe: [], unsubscribe: [], initialVersions: {}, nonce: '', ...fields };
}
