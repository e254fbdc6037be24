/**
 * Just enough protobuf for a client that only counts: requests are written by hand, and of a response is read what an answer
 * needs. So two thousand clients cost less than the server that they ask.
 */

/** The types of ADS, in the order in which a proxy asks for the two that it asks for whole: listeners last. */
export const TYPES = {
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
} as const;

/** What is read of a `DeltaDiscoveryResponse`. */
export interface Response {
  readonly typeUrl: string;
  readonly nonce: string;
  /** `system_version_info`: the change. */
  readonly change: string;
  /** Names of its resources. */
  readonly names: readonly string[];
  readonly removed: readonly string[];
  /** Whether the change is whole with this one, as the control plane says it to clients that hold changes back. */
  readonly last: boolean;
}

/** What a `DeltaDiscoveryRequest` says. */
export interface Request {
  readonly typeUrl: string;
  /** Bytes of `Node`; of a stream's first request only. */
  readonly node?: Uint8Array;
  readonly subscribe?: readonly string[];
  readonly nonce?: string;
}

/** A `DeltaDiscoveryRequest` as one gRPC message: five bytes of head, then protobuf. */
export function writeRequest({ typeUrl, node, subscribe = [], nonce }: Request): Buffer {
  const fields = [
    ...(node === undefined ? [] : field(1, node)),
    ...field(2, Buffer.from(typeUrl)),
    ...subscribe.flatMap((name) => field(3, Buffer.from(name))),
    ...(nonce === undefined ? [] : field(6, Buffer.from(nonce))),
  ];
  const message = Buffer.concat(fields);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function field(number: number, value: Uint8Array): Uint8Array[] {
  return [Uint8Array.from([...varint((number << 3) | 2), ...varint(value.length)]), value];
}

function varint(value: number): number[] {
  const bytes = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return [...bytes, rest];
}

/** Cuts a stream of bytes into gRPC messages (a byte that says whether it is compressed, four of length). */
export class Messages {
  #rest: Buffer = Buffer.alloc(0);

  /** @returns the messages that are whole now @throws Error for one that is compressed, which nobody asked for */
  take(bytes: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const whole: Buffer[] = [];
    while (this.#rest.length >= 5) {
      if (this.#rest[0] !== 0) throw new Error('a compressed message');
      const end = 5 + this.#rest.readUInt32BE(1);
      if (this.#rest.length < end) break;
      whole.push(this.#rest.subarray(5, end));
      this.#rest = this.#rest.subarray(end);
    }
    return whole;
  }
}

/** @throws Error for what is no protobuf */
export function readResponse(bytes: Buffer): Response {
  const texts = { 1: '', 4: '', 5: '', 7: '' };
  const names: string[] = [];
  const removed: string[] = [];
  for (const [number, value] of fieldsOf(bytes)) {
    if (number === 2) names.push(nameOf(value));
    else if (number === 6) removed.push(value.toString());
    else if (number === 7) texts[7] = value.toString();
    else if (number === 1 || number === 4 || number === 5) texts[number] = value.toString();
  }
  return {
    typeUrl: texts[4],
    nonce: texts[5],
    change: texts[1],
    names,
    removed,
    last: texts[7].includes('"last":true'),
  };
}

/** `Resource.name`. */
function nameOf(resource: Buffer): string {
  for (const [number, value] of fieldsOf(resource)) if (number === 3) return value.toString();
  return '';
}

/** Fields of a message that are length-delimited; others are passed over. */
function* fieldsOf(bytes: Buffer): Generator<readonly [number, Buffer]> {
  let at = 0;
  const read = (): number => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('a message that ends within a number');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  };
  while (at < bytes.length) {
    const tag = read();
    const [number, type] = [Math.floor(tag / 8), tag % 8];
    if (type === 2) {
      const length = read();
      yield [number, bytes.subarray(at, at + length)];
      at += length;
    } else if (type === 0) read();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else throw new Error(`a field of wire type ${type}`);
  }
}
