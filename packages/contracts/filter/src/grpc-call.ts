import type { FetchReply, FetchRequest } from './fetch.ts';
import type { Headers } from './headers.ts';

/** A unary call of gRPC that a filter makes to a cluster that speaks HTTP/2. */
export interface GrpcCall {
  readonly cluster: string;
  /** Default the cluster's name, as in Envoy, where that is a host. */
  readonly authority?: string;
  /** `/package.Service/Method` */
  readonly path: string;
  /** The message, encoded. */
  readonly message: Uint8Array;
  /** Flat `[name, value, …]`, names lower case. */
  readonly metadata?: readonly string[];
  /** For everything; the service is told of it. */
  readonly timeoutMs: number;
  /** Larger answers are refused. */
  readonly maxBytes: number;
  /** Whether OK without a message is an answer, as where the service reads a stream of messages. Default false. */
  readonly mayBeEmpty?: boolean;
}

/** What came of it. */
export interface GrpcReply {
  /** Status of gRPC; 0 is OK. */
  readonly status: number;
  /** What the service says of the status; `''` for nothing. */
  readonly text: string;
  /** The message, encoded; `undefined` where there is none. */
  readonly message: Uint8Array | undefined;
}

/** Who makes HTTP calls: a filter's host, or whatever else has such a `fetch`. */
export interface GrpcFetcher {
  fetch(request: FetchRequest): Promise<GrpcAnswer>;
}

type GrpcAnswer = Pick<FetchReply, 'status' | 'body'> & {
  readonly headers: Pick<Headers, 'get'>;
  readonly trailers: Pick<Headers, 'get'>;
};

const OK = 0;
const UNKNOWN = 2;
export const GRPC_DEADLINE_EXCEEDED = 4;
export const GRPC_INTERNAL = 13;
export const GRPC_UNAVAILABLE = 14;

/** Whom a call asks for: its own word, or the cluster's name where that is a host. */
export function authorityOf({ authority, cluster }: Pick<GrpcCall, 'authority' | 'cluster'>): string {
  return authority ?? (/^[\w.-]+(?::\d+)?$/.test(cluster) ? cluster : 'localhost');
}

/**
 * Makes a unary call over the host's `fetch`, the way that the engine's requests go (gRPC over HTTP/2, "Requests").
 * @returns rejects as `fetch` does; what the service says is the reply, whatever its status
 */
export async function callGrpc(host: GrpcFetcher, call: GrpcCall): Promise<GrpcReply> {
  const { cluster, path, message, metadata = [], timeoutMs, maxBytes } = call;
  const body = new Uint8Array(5 + message.length);
  new DataView(body.buffer).setUint32(1, message.length);
  body.set(message, 5);
  const reply = await host.fetch({
    url: `http://localhost${path}`,
    cluster,
    authority: authorityOf(call),
    method: 'POST',
    headers: [
      'content-type',
      'application/grpc',
      'grpc-timeout',
      `${Math.max(Math.ceil(timeoutMs), 1)}m`,
      ...metadata,
    ],
    body,
    timeoutMs,
    maxBodyBytes: maxBytes + 5,
  });
  return read(reply, call.mayBeEmpty ?? false);
}

function read({ status, headers, trailers, body }: GrpcAnswer, mayBeEmpty: boolean): GrpcReply {
  const end = readGrpcEnd(status, headers, trailers);
  if (end.status !== OK) return { ...end, message: undefined };
  if (mayBeEmpty && body.length === 0) return { ...end, message: undefined };
  const length = body.length < 5 ? -1 : new DataView(body.buffer, body.byteOffset).getUint32(1);
  if (body[0] !== 0 || length !== body.length - 5)
    return {
      status: GRPC_INTERNAL,
      text: 'the answer is not one message without compression',
      message: undefined,
    };
  return { ...end, message: body.subarray(5) };
}

/** How a call ended, by the reply's status, head and trailers. */
export function readGrpcEnd(
  status: number,
  headers: Pick<Headers, 'get'>,
  trailers: Pick<Headers, 'get'>,
): Pick<GrpcReply, 'status' | 'text'> {
  // A call that is refused at once has its status in the head ("Trailers-Only").
  const said = trailers.get('grpc-status') ?? headers.get('grpc-status');
  if (said === undefined || !/^\d{1,3}$/.test(said))
    return status === 200
      ? { status: GRPC_INTERNAL, text: 'there is no grpc-status' }
      : { status: HTTP_STATUSES[status] ?? UNKNOWN, text: `HTTP status ${status}` };
  return {
    status: Number(said),
    text: decodeText(trailers.get('grpc-message') ?? headers.get('grpc-message') ?? ''),
  };
}

/** "HTTP to gRPC Status Code Mapping", for what is no gRPC. */
const HTTP_STATUSES: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

/** Percent-encoded; what is not stays as it is. */
function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
