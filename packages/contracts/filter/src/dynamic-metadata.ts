import { defineSlot, type Slot } from './slot.ts';
import type { HttpStream } from './stream.ts';

/** JSON values by name. Names come from outside: look them up with `Object.hasOwn`. */
export type MetadataValues = Readonly<Record<string, unknown>>;

/**
 * What filters have found out about a request, by namespace: the name of the filter that says it, as Envoy's dynamic
 * metadata has them (`envoy.filters.http.jwt_authn`). For conditions that are written in those words; filters of Tulle's
 * own take what they need through slots with a type.
 */
export const DYNAMIC_METADATA: Slot<Readonly<Record<string, MetadataValues>>> =
  defineSlot<Readonly<Record<string, MetadataValues>>>('tulle.metadata.dynamic');

/**
 * What is known of a request's connection in the same way: what a header of the PROXY protocol said, what its filters put down, or what
 * it brought along within the process. Set before the first filter of a request runs, where there is some.
 */
export const CONNECTION_METADATA: Slot<Readonly<Record<string, MetadataValues>>> =
  defineSlot<Readonly<Record<string, MetadataValues>>>('tulle.metadata.connection');

/** Adds values to a namespace of {@link DYNAMIC_METADATA}; those of the same name are replaced. */
export function addMetadata(stream: HttpStream, namespace: string, values: MetadataValues): void {
  const before = stream.get(DYNAMIC_METADATA);
  const own = before?.[namespace];
  stream.set(DYNAMIC_METADATA, {
    ...before,
    [namespace]: own === undefined ? values : { ...own, ...values },
  });
}
