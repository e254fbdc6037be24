import { GRPC_STATUS_NAMES } from '@tulle/telemetry';
/**
 * Names of attributes, OpenTelemetry semantic conventions 1.45 (stable HTTP and RPC). Written out here because the
 * constants' package is half a megabyte to load; a test proves them equal to it.
 */
export const HTTP_REQUEST_METHOD = 'http.request.method';
export const HTTP_REQUEST_METHOD_ORIGINAL = 'http.request.method_original';
export const HTTP_REQUEST_RESEND_COUNT = 'http.request.resend_count';
export const HTTP_RESPONSE_STATUS_CODE = 'http.response.status_code';
export const HTTP_ROUTE = 'http.route';
export const URL_FULL = 'url.full';
export const URL_PATH = 'url.path';
export const URL_QUERY = 'url.query';
export const URL_SCHEME = 'url.scheme';
export const SERVER_ADDRESS = 'server.address';
export const SERVER_PORT = 'server.port';
export const CLIENT_ADDRESS = 'client.address';
export const CLIENT_PORT = 'client.port';
export const NETWORK_PEER_ADDRESS = 'network.peer.address';
export const NETWORK_PEER_PORT = 'network.peer.port';
export const NETWORK_LOCAL_ADDRESS = 'network.local.address';
export const NETWORK_LOCAL_PORT = 'network.local.port';
export const NETWORK_PROTOCOL_NAME = 'network.protocol.name';
export const NETWORK_PROTOCOL_VERSION = 'network.protocol.version';
export const NETWORK_TRANSPORT = 'network.transport';
export const USER_AGENT_ORIGINAL = 'user_agent.original';
export const ERROR_TYPE = 'error.type';
export const RPC_SYSTEM_NAME = 'rpc.system.name';
export const RPC_METHOD = 'rpc.method';
export const RPC_STATUS_CODE = 'rpc.status_code';

/** Methods that are named as they are; others are `_OTHER` (semantic conventions, HTTP, `http.request.method`). */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
]);

/** `http.request.method` of a method: itself, or `_OTHER`. */
export const knownMethod = (method: string): string => (KNOWN_METHODS.has(method) ? method : '_OTHER');

/** `rpc.status_code` of a gRPC status. */
export const grpcStatusName = (status: number): string => GRPC_STATUS_NAMES[status] ?? String(status);

/** Statuses that are the server's fault (semantic conventions, gRPC, server spans). */
const GRPC_SERVER_ERRORS: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

/** Whether a gRPC status makes a server span an error. */
export const isGrpcServerError = (status: number): boolean => GRPC_SERVER_ERRORS.has(status);

/** What a span may say of a value. */
export type AttributeValue = string | number | string[];
/** Attributes of one span. */
export type SpanAttributes = Record<string, AttributeValue>;

/** Longer values are cut: what a caller sends must not decide how much a queued span weighs. */
const MAX_VALUE_CHARS = 1024;

/** A text as a value. */
export const cut = (text: string): string =>
  text.length > MAX_VALUE_CHARS ? text.slice(0, MAX_VALUE_CHARS) : text;
