import type { Balancer, EndpointState } from '@tulle/balance';
import type { FieldTable } from '@tulle/fields';
import type { ConnectionInfo } from '@tulle/filter';
import type { HostOverride } from '@tulle/model';
import type { EncodeFault, ResponseHead } from '@tulle/http1';
import type { CompiledHashPolicy } from './compile/compiled-hash-policy.ts';
import type { ConnectionState } from './internal/connection-state.ts';
import type { InternalEnds } from './internal/passed.ts';
import type { ProxiedFields } from './listener/proxied-fields.ts';
import type { Socket } from './ports.ts';
import type { StreamRef } from './stream/stream-ref.ts';
import type { ClusterMetrics } from './upstream/cluster-metrics.ts';
import type { Drops } from './upstream/drops.ts';
import type { EndpointCounts } from './upstream/endpoint-counts.ts';
import type { Resources } from './upstream/resources.ts';

/**
 * The two sides of a stream as chain and attempts see them, so that neither knows which HTTP version carries it.
 */

/** A hook's promise is pending. */
export const PAUSE_HOOK = 1;
/** The other side takes no more, or is not there yet. */
export const PAUSE_FLOW = 2;
/** Why reading stands still; it goes on when no reason is left. */
export type PauseReason = typeof PAUSE_HOOK | typeof PAUSE_FLOW;

/** The caller's connection. */
export interface EngineConnection extends ConnectionInfo {
  /** Of one that was made within the process; it has no IP addresses. */
  readonly internal?: InternalEnds | undefined;
  /** What it brought along and its filters put down; `undefined`: nothing. */
  readonly state?: ConnectionState | undefined;
  /** What a header of the PROXY protocol said beyond the addresses; `undefined`: there was no header. */
  readonly proxied?: ProxiedFields | undefined;
}

/** The caller's side: writes the response, controls the reading of the request. */
export interface Downstream {
  readonly connection: EngineConnection;
  /** An interim (1xx) response of the endpoint. */
  writeInterim(stream: StreamRef, head: ResponseHead): void;
  /** `100 Continue` said by Tulle, because a filter must read the body before the endpoint is asked. */
  writeContinue(stream: StreamRef): void;
  /** The head that the stream's response fields describe. @returns false when it could not be encoded: nothing was written */
  writeHead(stream: StreamRef): boolean;
  /** @returns whether `chunk` is kept (D1) */
  writeData(stream: StreamRef, chunk: Buffer, start: number, end: number, owned: boolean): boolean;
  writeEnd(stream: StreamRef, trailers: FieldTable | undefined): void;
  /** Whether the caller can still be answered. */
  readonly open: boolean;
  /** More is queued than the connection's limit: stop reading from the endpoint until `onDownstreamDrain`. */
  readonly full: boolean;
  /** Whether the caller took some of what is queued since this was asked last. */
  takesOn(): boolean;
  /** Stops and goes on reading the request. */
  pauseRequest(stream: StreamRef, reason: PauseReason): void;
  resumeRequest(stream: StreamRef, reason: PauseReason): void;
  /** The response cannot be completed: the caller must see a broken message, never a short one that looks whole. */
  abort(stream: StreamRef): void;
  /** The rest of the request will not be read; the connection ends. */
  abandonRequest(stream: StreamRef): void;
  /** The response head is a protocol switch: bytes flow both ways from now on. */
  tunnel(stream: StreamRef, upstream: UpstreamStream): void;
  /** The stream is over, request and response; called once, last. */
  streamDone(stream: StreamRef): void;
}

/** A connection to an endpoint, as records know it. */
export interface UpstreamLine {
  /** Of those that {@link connectionNumber} gives. */
  readonly id: number;
  readonly protocol: 'HTTP/1.1' | 'HTTP/2' | 'TCP';
  readonly socket: Socket;
}

/** The endpoint's side of one attempt. */
export interface UpstreamStream {
  readonly line: UpstreamLine;
  /** Proven SPIFFE id of the endpoint. */
  readonly identity: string | undefined;
  /** Whether the connection had served before. */
  readonly reused: boolean;
  /** Whether the endpoint can tell, after the request went out, that it did not look at it (HTTP/2; decision D5). */
  readonly provesUnsent: boolean;
  /** Whether bytes read from the endpoint now may be kept by {@link keepRead}. */
  readonly ownedReads: boolean;
  keepRead(): void;
  /** Sends the request head. @returns why it could not be sent: nothing was */
  sendHead(stream: StreamRef): EncodeFault | undefined;
  /** @returns whether `chunk` is kept (D1) */
  sendData(chunk: Buffer, start: number, end: number, owned: boolean): boolean;
  sendEnd(trailers: FieldTable | undefined): void;
  /** More is queued than the connection's limit. */
  readonly full: boolean;
  pauseResponse(reason: PauseReason): void;
  resumeResponse(reason: PauseReason): void;
  /** After a protocol switch: the socket goes to a relay, the connection is not HTTP any more. */
  handOver(): Socket;
  /** The relay is over: only now the connection leaves the counts of its pool. */
  tunnelOver(): void;
  /** At the end of that turn: what came behind the head of the switch. */
  takeHeld(): Buffer;
  /** The stream does not listen any more; the connection is drained or closed. */
  abandon(): void;
}

/** The connections to one endpoint. */
export interface UpstreamPool {
  /** Whose endpoint it is: of an aggregate, one of its members. */
  readonly cluster: object;
  readonly counts: EndpointCounts;
  /** A connection for the stream, or `undefined`: it waits, or its attempt has failed already. */
  take(stream: StreamRef): UpstreamStream | undefined;
  /** The stream does not wait any more. */
  stopWaiting(stream: StreamRef): void;
}

/** Endpoints that are made when they are asked for; see `OnDemandEndpoints` of the cluster itself. */
export interface OnDemandStreams {
  find(stream: StreamRef): UpstreamEndpoint | string | undefined;
  forget(stream: StreamRef): void;
}

/** What a cluster says in the place of routes; see `ClusterPolicies` of the compiler. */
export interface UpstreamPolicies {
  /** `null`: as the route says. */
  readonly retry: {
    /** Labels of endpoints that retries avoid; `null`: none. */
    readonly avoidOnRetry: readonly (readonly (readonly [key: string, value: string])[])[] | null;
    /** Attempts after which their priorities are left out; 0: never. */
    readonly newPriorityEvery: number;
    /** Takes the place of what the stream's route says. */
    takeOver(stream: StreamRef): void;
  } | null;
  /** Known to who sends copies; `null`: as the route says. */
  readonly mirrors: readonly object[] | null;
  /** Whether an answer counts as a failure of its endpoint; `null`: by its status. */
  readonly failed: ((status: number, fields: FieldTable) => boolean) | null;
}

/** A cluster at work, as the rooms see it. */
export interface UpstreamCluster {
  readonly name: string;
  /** What statistics call it, where that is not its name. */
  readonly statName: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly metrics: ClusterMetrics;
  readonly balancer: Pick<
    Balancer<UpstreamPool>,
    'pick' | 'usable' | 'size' | 'hashes' | 'readsLoad' | 'endpoints'
  >;
  /** Finds its own endpoints by their addresses; an aggregate has none. */
  readonly own: Pick<Balancer<UpstreamPool>, 'get'>;
  /** Where requests say themselves which of them they go to; else `undefined`. */
  readonly hostOverride: HostOverride | undefined;
  /** What its requests are told together by, whatever their routes say; `null`: as those say. */
  readonly hashPolicy: readonly CompiledHashPolicy[] | null;
  /** What it says in the place of routes; `null`: nothing. */
  readonly policies: UpstreamPolicies | null;
  /** What refuses a share of its requests; else `undefined`. */
  readonly drops: Drops | undefined;
  /** Where endpoints are made when they are asked for; else `undefined`. */
  readonly onDemand: OnDemandStreams | undefined;
  /** Whether its endpoints are checked; then {@link saysUnwell} counts. */
  readonly checksHealth: boolean;
  /** An endpoint says in an answer that it is to be taken for ill. */
  saysUnwell(endpoint: UpstreamEndpoint): void;
  /** A stream begins; false past `maxRequests`. @param high its route's circuit priority */
  enter(high: boolean): boolean;
  /** It is over. */
  leave(high: boolean): void;
  /** What streams of that priority may use, and do. */
  resourcesOf(high: boolean): Resources;
}

/** An endpoint with its pool, as the balancer hands it out. */
export type UpstreamEndpoint = EndpointState<UpstreamPool>;

/** A cluster's name with whatever stands behind it now; see `ClusterRef` of the cluster itself. */
export interface UpstreamRef {
  readonly name: string;
  readonly current: UpstreamCluster | undefined;
}
