import type { ClusterDiscovery, Endpoint } from '@tulle/model';
import type { Engine } from '../engine.ts';
import type { ConnectionFacts } from '../listener/connection-facts.ts';
import type { UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';

/** Endpoints that are made when they are asked for. */
export interface OnDemandEndpoints {
  /**
   * The endpoint of a request.
   * @returns details of the failure where there is none; `undefined`: it waits, and is told by `endpointChosen` or
   * `attemptFailed`, never before this has returned
   */
  find(stream: Stream): UpstreamEndpoint | string | undefined;
  /** The endpoint of a connection. @returns `undefined` where it says none */
  ofConnection(facts: ConnectionFacts): UpstreamEndpoint | undefined;
  /** The stream does not wait any more. */
  forget(stream: Stream): void;
  /** Where to connect. */
  reachedAt(endpoint: Endpoint): Pick<Endpoint, 'address' | 'additionalAddresses'>;
  /** Server name for TLS; `''`: none. */
  serverNameOf(endpoint: Endpoint): string;
  close(): void;
}

/** Their cluster, as far as they know it. */
export interface OnDemandCluster {
  readonly engine: Engine;
  readonly name: string;
  readonly tls: unknown;
  readonly config: { readonly discovery: ClusterDiscovery };
  readonly own: { get(address: string): UpstreamEndpoint | undefined };
  setEndpoints(endpoints: readonly Endpoint[]): void;
}
