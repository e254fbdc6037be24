/** What a server's first record says of a TLS 1.3 handshake: `resumed` when it took an earlier session up again. */
export type HandshakeKind = 'full' | 'resumed';

const HANDSHAKE_RECORD = 22;
const SERVER_HELLO = 2;
const PRE_SHARED_KEY = 41;

/**
 * Reads the ServerHello, which is in clear (RFC 8446 §4.1.3), from the first bytes that a server sent. Written for the
 * demo's claim, independent of any TLS library.
 * @returns `undefined` when it needs more bytes
 * @throws Error when it is no ServerHello
 */
export function handshakeKind(bytes: Buffer): HandshakeKind | undefined {
  if (bytes.length < 5) return undefined;
  const end = 5 + bytes.readUInt16BE(3);
  if (bytes.length < end) return undefined;
  if (bytes[0] !== HANDSHAKE_RECORD || bytes[5] !== SERVER_HELLO)
    throw new Error('the first record is no ServerHello');
  let at = 5 + 4 + 2 + 32; // record header, handshake header, version, random
  at += 1 + bytes.readUInt8(at); // session id
  at += 2 + 1; // cipher suite, compression method
  for (at += 2; at + 4 <= end; at += 4 + bytes.readUInt16BE(at + 2))
    if (bytes.readUInt16BE(at) === PRE_SHARED_KEY) return 'resumed';
  return 'full';
}
