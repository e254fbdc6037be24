const GRPC = 'application/grpc';
const PLUS = 0x2b;
const SEMICOLON = 0x3b;

/**
 * Whether a content type says that a message is gRPC's: `application/grpc` alone, with a suffix (`+proto`) or with
 * parameters (gRPC over HTTP/2, "Content-Type"). `application/grpc-web` is another protocol.
 */
export function isGrpcContentType(contentType: string | undefined): boolean {
  if (contentType === undefined || !contentType.startsWith(GRPC)) return false;
  if (contentType.length === GRPC.length) return true;
  const next = contentType.charCodeAt(GRPC.length);
  return next === PLUS || next === SEMICOLON;
}
