/**
 * gRPC-Web filter.
 * @packageDocumentation
 */
export { grpcWeb, NOTE_CALL } from './grpc-web.ts';
