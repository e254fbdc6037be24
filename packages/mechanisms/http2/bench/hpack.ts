/**
 * Prints nanoseconds and bytes allocated per header block in the steady state, as a proxy spends them: a request's block
 * is decoded into a field table and encoded to the next hop, and the response's on its way back; about ten fields each,
 * of which two or three are new every time. Run: `node --expose-gc packages/mechanisms/http2/bench/hpack.ts [seconds per line]`
 */
import { ByteWriter, FieldTable } from '@tulle/fields';
import { HpackDecoder, HpackEncoder, type HpackFieldSink } from '../src/index.ts';

const SECONDS = Number(process.argv[2] ?? 1);
/** Blocks made before, so that the fields that differ do differ. */
const BLOCKS = 512;

type Fields = readonly (readonly [name: string, value: string])[];

const hex = (digits: number): string =>
  Array.from({ length: digits }, () => Math.floor(Math.random() * 16).toString(16)).join('');

const request = (at: number): Fields => [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'shop.example.com'],
  [':path', `/api/v1/items?id=${at}`],
  ['user-agent', 'grpc-node-js/1.14.0'],
  ['accept', 'application/json'],
  ['accept-encoding', 'gzip, deflate, br'],
  ['x-request-id', `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`],
  ['traceparent', `00-${hex(32)}-${hex(16)}-01`],
  ['x-team', 'blue'],
];

const grpc = (): Fields => [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':path', '/shop.v1.Items/Get'],
  [':authority', 'shop.example.com'],
  ['te', 'trailers'],
  ['content-type', 'application/grpc'],
  ['user-agent', 'grpc-node-js/1.14.0'],
  ['grpc-accept-encoding', 'identity,deflate,gzip'],
  ['grpc-timeout', '999m'],
  ['x-team', 'blue'],
];

const response = (at: number): Fields => [
  [':status', '200'],
  ['content-type', 'application/json'],
  ['content-length', String(1000 + at)],
  ['date', 'Mon, 01 Jan 2024 00:00:00 GMT'],
  ['server', 'shop'],
  ['cache-control', 'no-store'],
  ['etag', `"${hex(16)}"`],
  ['vary', 'accept-encoding'],
  ['x-team', 'blue'],
  ['x-served-by', 'shop-7d9f'],
];

class Table implements HpackFieldSink {
  readonly fields: FieldTable = new FieldTable();
  readonly pseudo: string[] = ['', '', '', '', '', '', '', ''];
  onField(id: number, name: string, value: string, neverIndexed: boolean): void {
    if (id < 0) this.pseudo[-id] = value;
    else this.fields.pushValue(id, name, value, neverIndexed);
  }
  onInvalidField(name: string): void {
    throw new Error(`invalid field ${name}`);
  }
}

function encodeAll(encoder: HpackEncoder, lists: readonly Fields[]): Buffer[] {
  const out = new ByteWriter();
  return lists.map((list) => {
    encoder.begin(out);
    for (const [name, value] of list) encoder.field(out, name, value);
    const block = Buffer.from(out.view());
    out.clear();
    return block;
  });
}

function measure(name: string, step: (at: number) => void): void {
  for (let at = 0; at < BLOCKS * 100; at++) step(at % BLOCKS);
  // the lowest round: what others do on the machine only adds to it
  let ns = Number.POSITIVE_INFINITY;
  const until = process.hrtime.bigint() + BigInt(Math.round(SECONDS * 1e9));
  for (let now = process.hrtime.bigint(); now < until;) {
    const before = now;
    for (let at = 0; at < BLOCKS; at++) step(at);
    now = process.hrtime.bigint();
    ns = Math.min(ns, Number(now - before) / BLOCKS);
  }
  let bytes = Number.NaN;
  if (globalThis.gc !== undefined) {
    globalThis.gc();
    const used = process.memoryUsage().heapUsed;
    for (let round = 0; round < 4; round++) for (let at = 0; at < BLOCKS; at++) step(at);
    bytes = (process.memoryUsage().heapUsed - used) / (4 * BLOCKS);
  }
  process.stdout.write(
    `${name.padEnd(34)} ${ns.toFixed(0).padStart(6)} ns  ${bytes.toFixed(0).padStart(6)} B\n`,
  );
}

function side(name: string, make: (at: number) => Fields, pseudos: readonly string[]): void {
  const lists = Array.from({ length: BLOCKS }, (_, at) => make(at));
  const encoder = new HpackEncoder();
  // the first blocks fill the table; then the blocks of the loop refer to entries that stay
  const warm = encodeAll(encoder, lists);
  const blocks = encodeAll(encoder, lists);
  const octets = blocks.reduce((sum, block) => sum + block.length, 0) / BLOCKS;
  const decoder = new HpackDecoder();
  const table = new Table();
  const decode = (block: Buffer): void => {
    const fault = decoder.decode(block, 0, block.length, table);
    if (fault !== undefined) throw new Error(fault.reason);
  };
  for (const block of warm) {
    table.fields.reset();
    decode(block);
  }
  process.stdout.write(`${name}: ${lists[0]?.length} fields, ${octets.toFixed(0)} octets a block\n`);
  measure('  decode', (at) => {
    table.fields.reset();
    decode(blocks[at] as Buffer);
  });
  const next = new HpackEncoder();
  const out = new ByteWriter(4096);
  const tables = blocks.map((block) => {
    const one = new Table();
    decoder.decode(block, 0, block.length, one);
    return one;
  });
  const encode = (from: Table): void => {
    out.clear();
    next.begin(out);
    for (let i = 0; i < pseudos.length; i++)
      next.field(out, pseudos[i] as string, from.pseudo[i + 1] as string);
    next.fields(out, from.fields);
  };
  const inOrder = new Map([
    [':method', 1],
    [':scheme', 2],
    [':authority', 3],
    [':path', 4],
    [':status', 5],
  ]);
  for (const one of tables) {
    const given = one.pseudo.slice();
    pseudos.forEach((pseudo, i) => (one.pseudo[i + 1] = given[inOrder.get(pseudo) as number] as string));
  }
  measure('  encode', (at) => encode(tables[at] as Table));
  measure('  decode and encode', (at) => {
    table.fields.reset();
    decode(blocks[at] as Buffer);
    const { pseudo } = table;
    out.clear();
    next.begin(out);
    for (const it of pseudos) next.field(out, it, pseudo[inOrder.get(it) as number] as string);
    next.fields(out, table.fields);
  });
}

side('request', request, [':method', ':scheme', ':authority', ':path']);
side('response', response, [':status']);
side('gRPC request', grpc, [':method', ':scheme', ':authority', ':path']);
