import type { DescMessage, Message } from '@bufbuild/protobuf';
import type { Lead } from '../ads/kind-rules.ts';
import type { WireResource } from '../encode/wire-resource.ts';

/** One resource as it was put. Never changed: a new one takes its place. */
export interface RawResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly wire: WireResource;
  /** What it says; `undefined` for bytes of a type that nobody here knows. */
  readonly content: { readonly schema: DescMessage; readonly message: Message } | undefined;
}

/** What a node should have, at one moment. */
export interface RawSet {
  /** As clients see it in `version_info` of the state of the world. */
  readonly changeId: string;
  /** The same arrays as in the set before, where nothing in them changed. */
  readonly byType: ReadonlyMap<string, readonly RawResource[]>;
  /** Clusters whose endpoints come over the same stream. */
  readonly discovered: readonly { readonly cluster: string; readonly endpoints: string }[];
  /** Resources of the set that name others of it. */
  readonly leads: readonly Lead<string>[];
}

/** All resources of a set. */
export function* resourcesOf({ byType }: Pick<RawSet, 'byType'>): Iterable<RawResource> {
  for (const resources of byType.values()) yield* resources;
}
