import type { Address } from '@tulle/model';
import { http2Upstream, type Http2Upstream } from './http2-upstream.ts';
import type { MemoryNetwork } from './memory-network.ts';

/** What a unary call is answered with: a message, a status alone by its number (`google.rpc.Code`), or nothing. */
export type GrpcReply = Uint8Array | number | 'silence';

/**
 * Serves unary calls of gRPC at an address of the network, whatever their method. Their heads are in {@link Http2Upstream.requests}.
 * @param answer of a message, which is without its prefix, as is that of the reply
 */
export function grpcUpstream(
  network: Pick<MemoryNetwork, 'listen'>,
  address: Address | string,
  answer: (message: Uint8Array) => GrpcReply,
): Http2Upstream {
  return http2Upstream(network, address, ({ body }) => {
    const reply = answer(Buffer.from(body, 'latin1').subarray(PREFIX_BYTES));
    if (reply === 'silence') return reply;
    const headers = { 'content-type': 'application/grpc' };
    return typeof reply === 'number'
      ? { headers: { ...headers, 'grpc-status': String(reply) }, chunks: [] }
      : { headers, chunks: [grpcFrame(reply).toString('latin1')], trailers: { 'grpc-status': '0' } };
  });
}

const PREFIX_BYTES = 5;

/** A message of gRPC that is not compressed, with its prefix of a flag and its length (gRPC over HTTP/2, `Length-Prefixed-Message`). */
export function grpcFrame(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}
