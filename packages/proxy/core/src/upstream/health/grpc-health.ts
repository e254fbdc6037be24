/**
 * The two messages of `grpc.health.v1.Health/Check` (grpc/doc/health-checking.md), in their few bytes of protobuf:
 * `HealthCheckRequest { string service = 1 }`, `HealthCheckResponse { ServingStatus status = 1 }`.
 */

/** Names of `ServingStatus`. */
const SERVING_STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
export type ServingStatus = (typeof SERVING_STATUSES)[number];

export const HEALTH_CHECK_PATH = '/grpc.health.v1.Health/Check';

/** Field 1, length-delimited. */
const SERVICE_TAG = 0x0a;
const FRAME_HEAD_BYTES = 5;

/** The request's body: one frame of gRPC. @param service `''` for the server as a whole */
export function healthCheckRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  const message =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.of(SERVICE_TAG), varint(name.length), name]);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): Buffer {
  const octets: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) octets.push((rest & 0x7f) | 0x80);
  octets.push(rest);
  return Buffer.from(octets);
}

/** What a response's body says; `undefined` for what is no whole, uncompressed message of this kind. */
export function readHealthCheckResponse(body: Buffer): ServingStatus | undefined {
  if (body.length < FRAME_HEAD_BYTES || body[0] !== 0) return undefined;
  const end = FRAME_HEAD_BYTES + body.readUInt32BE(1);
  if (end !== body.length) return undefined;
  const reader = new Reader(body, FRAME_HEAD_BYTES);
  // An enum that is not there is 0.
  let status = 0;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag >>> 3 === 1 && (tag & 7) === 0) status = reader.varint();
    else reader.skip(tag & 7);
    if (reader.broken || reader.at > end) return undefined;
  }
  return SERVING_STATUSES[status] ?? 'UNKNOWN';
}

/** Walks protobuf's wire format. */
class Reader {
  readonly #bytes: Buffer;
  at: number;
  broken = false;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** At most ten octets; what is above 32 bits is lost, and means nothing here. */
  varint(): number {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const octet = this.#bytes[this.at++];
      if (octet === undefined) break;
      if (i < 5) value |= (octet & 0x7f) << (7 * i);
      if (octet < 0x80) return value >>> 0;
    }
    this.broken = true;
    return 0;
  }

  /** A field that is not known here, by its wire type. */
  skip(type: number): void {
    if (type === 0) this.varint();
    else if (type === 1) this.at += 8;
    else if (type === 2) {
      const length = this.varint();
      this.at += length;
    } else if (type === 5) this.at += 4;
    else this.broken = true;
  }
}
