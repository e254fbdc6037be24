/** A gRPC message of so many octets with the five that stand before it: not compressed, its length. */
export function grpcMessage(bytes: number): Buffer {
  const message = Buffer.alloc(5 + bytes, 'x');
  message[0] = 0;
  message.writeUInt32BE(bytes, 1);
  return message;
}
