/**
 * The filter contract: what a filter author needs, and nothing else. No dependencies.
 * @packageDocumentation
 */
export { CONTINUE, STOP, DELIVER, RETRY } from './verdict.ts';
export type { Verdict, HookResult, AttemptVerdict } from './verdict.ts';
export type { Headers, MutableHeaders } from './headers.ts';
export { ERROR_TABLE, errorRow } from './error-table.ts';
export type { ErrorCode, ErrorRow, ErrorSource, ResponseFlag } from './error-table.ts';
export { TulleError, isTulleError } from './error.ts';
export type { ConfigIssue, TulleErrorOptions } from './error.ts';
export type { ConfigSchema, SchemaIssue, SchemaResult } from './schema.ts';
export { pseudoHeader, setPseudoHeader } from './pseudo-header.ts';
export { defineSlot } from './slot.ts';
export type { Slot } from './slot.ts';
export { VERIFIED_TOKENS } from './verified-token.ts';
export type { VerifiedToken } from './verified-token.ts';
export { FILTER_STATE, putFilterState, READ_ONLY_FILTER_STATE, SHARED_FILTER_STATE } from './filter-state.ts';
export type { HoldsSlots } from './filter-state.ts';
export { addMetadata, CONNECTION_METADATA, DYNAMIC_METADATA } from './dynamic-metadata.ts';
export type { MetadataValues } from './dynamic-metadata.ts';
export type { FetchReply, FetchRequest } from './fetch.ts';
export type { Exchange, ExchangeEvents, ExchangeRequest } from './exchange.ts';
export { callGrpc } from './grpc-call.ts';
export type { GrpcCall, GrpcFetcher, GrpcReply } from './grpc-call.ts';
export { streamGrpc } from './grpc-stream.ts';
export type { GrpcExchanger, GrpcStream, GrpcStreamCall, GrpcStreamEvents } from './grpc-stream.ts';
export type { ClusterHealth, DefinitionBase, FilterHost, HostCounter, HostGauge, Log } from './host.ts';
export type {
  AttemptInfo,
  ConnectionInfo,
  HttpStream,
  RequestHead,
  ResponseHead,
  RouteInfo,
} from './stream.ts';
export { definitionIssues, FILTER_API_VERSIONS } from './check-definition.ts';
export type { UncheckedDefinition } from './check-definition.ts';
export { defineHttpFilter } from './http-filter.ts';
export type {
  AnyHttpFilter,
  BodyNeed,
  BodyNeeds,
  FilterUseOptions,
  HttpFilter,
  HttpFilterDefinition,
  HttpFilterUse,
  HttpHooks,
  HttpPhase,
} from './http-filter.ts';
export { defineConnFilter } from './conn-filter.ts';
export type {
  AnyConnFilter,
  ConnFilter,
  ConnFilterDefinition,
  ConnFilterUse,
  ConnHooks,
  Connection,
} from './conn-filter.ts';
