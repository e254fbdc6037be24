import type { ServerHttp2Stream } from 'node:http2';
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { grpcFrame, http2Upstream, type Http2Upstream, type MemoryNetwork } from '@tulle/testkit';
import {
  ProcessingRequestSchema,
  ProcessingResponseSchema,
  type ProcessingRequest,
} from '../src/gen/envoy/service/ext_proc/v3/external_processor_pb.js';

/** What a processor says to a message: an answer, or several; its bytes as they stand; nothing; that it wants no more; that it failed. */
export type Said =
  | MessageInitShape<typeof ProcessingResponseSchema>
  | readonly MessageInitShape<typeof ProcessingResponseSchema>[]
  | Buffer
  | 'silence'
  | 'over'
  | 'failure';

/** A processor in memory. */
export interface Processor {
  readonly requests: ProcessingRequest[];
  /** Parts that it was told of, bodies with their text and `.` at the end. */
  readonly heard: string[];
  readonly upstream: Http2Upstream;
  /** Calls under way. */
  active: number;
  /** How calls were closed: codes of HTTP/2, 0 for none. */
  readonly closed: number[];
  answer: (request: ProcessingRequest) => Said;
}

/** Lets everything pass. */
export function pass({ request: { case: part } }: ProcessingRequest): Said {
  return { response: { case: part as 'requestBody', value: {} } };
}

export function processor(network: MemoryNetwork, address: string, answer: Processor['answer']): Processor {
  const upstream = http2Upstream(network, address);
  const self: Processor = { requests: [], heard: [], upstream, active: 0, closed: [], answer };
  upstream.onStream = (stream) => serve(stream, self);
  return self;
}

function serve(stream: ServerHttp2Stream, self: Processor): void {
  self.active++;
  stream.on('close', () => {
    self.active--;
    self.closed.push(stream.rstCode);
  });
  let status = '0';
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  stream.on('end', () => stream.end());
  let held = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
      const end = 5 + held.readUInt32BE(1);
      const request = fromBinary(ProcessingRequestSchema, held.subarray(5, end));
      held = held.subarray(end);
      self.requests.push(request);
      self.heard.push(describe(request));
      const said = self.answer(request);
      if (said === 'silence') continue;
      if (said === 'over' || said === 'failure') {
        if (said === 'failure') status = '13';
        stream.end();
      } else if (Buffer.isBuffer(said)) stream.write(grpcFrame(said));
      else
        for (const one of Array.isArray(said) ? said : [said])
          stream.write(
            grpcFrame(toBinary(ProcessingResponseSchema, create(ProcessingResponseSchema, one as never))),
          );
    }
  });
}

function describe({ request }: ProcessingRequest): string {
  if (request.case !== 'requestBody' && request.case !== 'responseBody') return request.case ?? '';
  const { body, endOfStream } = request.value;
  return `${request.case} ${Buffer.from(body).toString()}${endOfStream ? '.' : ''}`;
}
