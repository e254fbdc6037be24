/**
 * Prints nanoseconds and bytes per request and response through the codec, as a proxy does it: decode, strip, add two
 * fields, encode. Run: `node --expose-gc packages/mechanisms/http1/bench/codec.ts [seconds per line]`
 */
import { ByteWriter } from '@tulle/fields';
import {
  BODY_LENGTH,
  BODY_NONE,
  CONNECTION_PERSIST,
  RequestDecoder,
  ResponseDecoder,
  stripHopByHop,
  writeRequestHead,
  writeResponseHead,
  type OutgoingFraming,
  type RequestHead,
  type ResponseHead,
} from '../src/index.ts';

const request = Buffer.from(
  [
    'GET /api/v1/items?id=42 HTTP/1.1',
    'Host: shop.example.com',
    'User-Agent: curl/8.0.1 (x86_64)',
    'Accept: application/json, */*',
    'Accept-Encoding: gzip, deflate',
    'X-Request-Id: 0b6d8f3e-5a42-4e2f-9a5e-6c0d7a1f2b3c',
    'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'X-Team: blue',
    'Connection: keep-alive',
    '',
    '',
  ].join('\r\n'),
  'latin1',
);
const body = 'x'.repeat(64);
const response = Buffer.from(
  [
    'HTTP/1.1 200 OK',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Date: Mon, 01 Jan 2024 00:00:00 GMT',
    'Server: shop',
    'Cache-Control: no-store',
    '',
    body,
  ].join('\r\n'),
  'latin1',
);

class Sink {
  data = 0;
  complete = 0;
  request: RequestHead | undefined = undefined;
  response: ResponseHead | undefined = undefined;
  onData(_chunk: Buffer, start: number, end: number): void {
    this.data += end - start;
  }
  onTrailers(): void {}
  onComplete(): void {
    this.complete++;
  }
  onFault(fault: { rule: string }): void {
    throw new Error(fault.rule);
  }
}
class RequestTap extends Sink {
  onHead(head: RequestHead): void {
    this.request = head;
  }
}
class ResponseTap extends Sink {
  onHead(head: ResponseHead): void {
    this.response = head;
  }
  onInformational(): void {}
}

const requestTap = new RequestTap();
const responseTap = new ResponseTap();
const requests = new RequestDecoder(requestTap);
const responses = new ResponseDecoder(responseTap);
const out = new ByteWriter();
const framing: OutgoingFraming = {
  bodyKind: BODY_NONE,
  contentLength: -1,
  connection: CONNECTION_PERSIST,
  upgrade: undefined,
};

function decodeRequest(): RequestHead {
  requests.execute(request, 0, request.length);
  return requestTap.request as RequestHead;
}
function decodeResponse(): ResponseHead {
  responses.expect('GET');
  responses.execute(response, 0, response.length);
  return responseTap.response as ResponseHead;
}
function readSome(head: RequestHead): number {
  return (
    (head.fields.get('user-agent') as string).length +
    (head.fields.get('x-request-id') as string).length +
    (head.fields.get('traceparent') as string).length
  );
}
function proxyRequest(): void {
  const head = decodeRequest();
  stripHopByHop(head.fields, head.connectionNames);
  head.fields.set('x-forwarded-for', '10.0.0.1');
  head.fields.set('x-request-id', '0b6d8f3e-5a42-4e2f-9a5e-6c0d7a1f2b3d');
  framing.bodyKind = BODY_NONE;
  out.clear();
  if (writeRequestHead(out, head.method, head.path, head.authority, head.fields, framing) !== undefined)
    throw new Error('encode');
}
function proxyResponse(): void {
  const head = decodeResponse();
  stripHopByHop(head.fields, head.connectionNames);
  head.fields.set('x-envoy-upstream-service-time', '3');
  framing.bodyKind = BODY_LENGTH;
  framing.contentLength = head.contentLength;
  out.clear();
  if (
    writeResponseHead(
      out,
      requestTap.request as RequestHead,
      head.status,
      head.reason,
      head.fields,
      framing,
    ) !== undefined
  )
    throw new Error('encode');
}

const seconds = Number(process.argv[2] ?? 0.4);
const gc = (globalThis as { gc?: () => void }).gc;

function measure(label: string, once: () => void): void {
  const warmUntil = performance.now() + 200;
  while (performance.now() < warmUntil) for (let i = 0; i < 500; i++) once();
  let best = Infinity;
  const until = performance.now() + seconds * 1000;
  let rounds = 0;
  while (performance.now() < until || rounds < 3) {
    const from = process.hrtime.bigint();
    for (let i = 0; i < 5000; i++) once();
    best = Math.min(best, Number(process.hrtime.bigint() - from) / 5000);
    rounds++;
  }
  let bytes = '';
  if (gc !== undefined) {
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 2000; i++) once();
    bytes = `${Math.round((process.memoryUsage().heapUsed - before) / 2000)} B`;
  }
  process.stdout.write(`${label.padEnd(40)} ${best.toFixed(0).padStart(6)} ns  ${bytes.padStart(8)}\n`);
}

process.stdout.write(`request ${request.length} bytes, response ${response.length} bytes, best round:\n`);
measure('decode request', () => {
  decodeRequest();
});
measure('decode request, read three fields', () => {
  readSome(decodeRequest());
});
measure('decode response', () => {
  decodeResponse();
});
measure('request: decode, strip, edit, encode', proxyRequest);
measure('response: decode, strip, edit, encode', proxyResponse);
measure('both', () => {
  proxyRequest();
  proxyResponse();
});
