import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { grpcService } from '@tulle/xds-proto/grpc';
import {
  RateLimitService,
  type RateLimitRequest,
  type RateLimitResponse,
} from '@tulle/xds-proto/envoy/service/ratelimit/v3/rls';
import { decide, type DecideOptions } from './decide.ts';

/** Descriptors of one request; a route says a few. */
const MAX_DESCRIPTORS = 100;
const MAX_REQUEST_BYTES = 262_144;

export interface RateLimitServiceOptions extends DecideOptions {
  /** `host:port`; port 0 takes a free one. In plain text: let a mesh or a loopback address keep strangers out. */
  readonly listen: string;
}

export interface RunningService {
  readonly port: number;
  /** Takes no more calls, lets those under way finish for `graceMs`, default 2,000, then gives up the counters. */
  close(graceMs?: number): Promise<void>;
}

/** `envoy.service.ratelimit.v3.RateLimitService` over gRPC. @throws where it cannot listen */
export async function startRateLimitService(options: RateLimitServiceOptions): Promise<RunningService> {
  const server = new Server({ 'grpc.max_receive_message_length': MAX_REQUEST_BYTES });
  const handlers = {
    shouldRateLimit(
      { request }: ServerUnaryCall<RateLimitRequest, RateLimitResponse>,
      answer: sendUnaryData<RateLimitResponse>,
    ) {
      const wrong = faultOf(request);
      if (wrong !== undefined) return answer({ code: status.INVALID_ARGUMENT, details: wrong });
      decide(request, options).then(
        (response) => answer(null, response),
        (error: Error) => answer({ code: status.UNAVAILABLE, details: error.message }),
      );
    },
  };
  server.addService(grpcService(RateLimitService), handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(options.listen, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    port,
    async close(graceMs = 2_000) {
      const timer = setTimeout(() => server.forceShutdown(), graceMs);
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      clearTimeout(timer);
      await options.counters.close();
    },
  };
}

function faultOf({ domain, descriptors }: RateLimitRequest): string | undefined {
  if (domain === '') return 'domain: is empty; name the domain of a limits file';
  if (descriptors.length === 0) return 'descriptors: is empty; at least one says what to count';
  if (descriptors.length > MAX_DESCRIPTORS)
    return `descriptors: has ${descriptors.length}, at most ${MAX_DESCRIPTORS} are counted at once`;
  const bare = descriptors.findIndex(({ entries }) => entries.length === 0);
  return bare === -1 ? undefined : `descriptors[${bare}].entries: is empty`;
}
