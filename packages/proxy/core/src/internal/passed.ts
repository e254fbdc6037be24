import type { MetadataValues } from '@tulle/filter';

/** What a connection within the process brings along of who made it (Envoy: its passthrough state). Made once a connection. */
export interface Passed {
  /** Listeners of this process that led to each other up to it, its own counted. */
  readonly depth: number;
  /** Texts by key, without a prototype: streams of the connection have them as their filter state. */
  readonly filterState: Readonly<Record<string, string>> | undefined;
  /** Of its keys, those whose values stay; on its streams all do. */
  readonly readOnly: ReadonlySet<string> | undefined;
  /** Of them, those that connections which are made for this one bring along as well. */
  readonly transitive: ReadonlyMap<string, 'always'> | undefined;
  /** By namespace: what the endpoint and its cluster say of themselves. */
  readonly metadata: Readonly<Record<string, MetadataValues>> | undefined;
}

/** An accepted connection of this process: what its ends are called, and what it brings along. */
export interface InternalEnds {
  /** As logs show the address of who made it. */
  readonly remote: string;
  /** Likewise its own: that of the endpoint by which it was reached. */
  readonly local: string;
  readonly passed: Passed;
}

/** How the end that connects is shown, as in Envoy, where it has no address either. */
export const INTERNAL_CLIENT = 'envoy://internal_client_address/';
