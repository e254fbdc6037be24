/** Types and codes of RFC 1035 §3.2 and §4.1.1. */
export const TYPE_A = 1;
const CLASS_IN = 1;
export const RCODE_SERVFAIL = 2;
export const RCODE_REFUSED = 5;
/** Of RFC 6891: what follows is no record, and its TTL field is none. */
const TYPE_OPT = 41;

const HEADER_BYTES = 12;
/** `QR`, and what a responder sets of the second byte: `RA`. */
const FLAG_RESPONSE = 0x80;
const FLAG_RECURSION_AVAILABLE = 0x80;
/** In the third byte: `OPCODE`, which is 0 for queries, and `RD`, which is repeated. */
const OPCODE = 0x78;
const FLAG_RECURSION_DESIRED = 0x01;
/** RFC 1035 §2.3.4. */
const MAX_NAME_BYTES = 255;

/** What is asked. */
export interface Question {
  /** Lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  /** Where the question ends in the message. */
  readonly end: number;
}

/** Reads a query (RFC 1035 §4.1). @returns `undefined`: it is none, or not one of the Internet with one question */
export function readQuestion(message: Buffer): Question | undefined {
  if (message.length < HEADER_BYTES || message.readUInt16BE(4) !== 1) return undefined;
  const flags = message[2] as number;
  if ((flags & (FLAG_RESPONSE | OPCODE)) !== 0) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) break;
    // A question has nothing before it that a pointer could mean.
    if (length > 63 || at + 1 + length > message.length || at - HEADER_BYTES > MAX_NAME_BYTES)
      return undefined;
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const end = at + 5;
  if (end > message.length || message.readUInt16BE(at + 3) !== CLASS_IN) return undefined;
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end };
}

/** The answer to a query: these addresses of IPv4, each for `ttlSeconds`; none: the name has no record of that type. */
export function answerTo(
  query: Buffer,
  { end }: Question,
  addresses: readonly string[],
  ttlSeconds: number,
): Buffer {
  const response = head(query, end, 0, addresses.length);
  const records = addresses.map((address) => {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(0xc0_00 | HEADER_BYTES, 0); // the name of the question
    record.writeUInt16BE(TYPE_A, 2);
    record.writeUInt16BE(CLASS_IN, 4);
    record.writeUInt32BE(ttlSeconds, 6);
    record.writeUInt16BE(4, 10);
    address.split('.').forEach((byte, i) => (record[12 + i] = Number(byte)));
    return record;
  });
  return Buffer.concat([response, ...records]);
}

/** The answer that nothing can be said. */
export function refusalOf(query: Buffer, { end }: Question, rcode: number): Buffer {
  return head(query, end, rcode, 0);
}

function head(query: Buffer, end: number, rcode: number, answers: number): Buffer {
  const response = Buffer.from(query.subarray(0, end));
  response[2] = FLAG_RESPONSE | ((query[2] as number) & FLAG_RECURSION_DESIRED);
  response[3] = FLAG_RECURSION_AVAILABLE | rcode;
  response.writeUInt16BE(answers, 6);
  response.writeUInt16BE(0, 8);
  response.writeUInt16BE(0, 10);
  return response;
}

/** Where the records of a response keep their TTLs. @returns `undefined` where it is cut off, failed, or malformed */
export function ttlOffsets(response: Buffer, { end }: Question): number[] | undefined {
  const [flags = 0, code = 0] = response.subarray(2, 4);
  if (response.length < end || (flags & 0x02) !== 0 || (code & 0x0f) !== 0) return undefined; // TC, RCODE
  let records = response.readUInt16BE(6) + response.readUInt16BE(8) + response.readUInt16BE(10);
  const found: number[] = [];
  let at = end;
  for (; records > 0; records--) {
    while (at < response.length && response[at] !== 0 && (response[at] as number) < 0xc0)
      at += 1 + (response[at] as number);
    at += response[at] === 0 ? 1 : 2;
    if (at + 10 > response.length) return undefined;
    if (response.readUInt16BE(at) !== TYPE_OPT) found.push(at + 4);
    at += 10 + response.readUInt16BE(at + 8);
  }
  return at > response.length ? undefined : found;
}
