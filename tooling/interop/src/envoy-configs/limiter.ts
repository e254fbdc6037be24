import { create, toBinary } from '@bufbuild/protobuf';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import {
  type RateLimitRequest,
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
  RateLimitResponseSchema,
} from '@tulle/xds-proto/envoy/service/ratelimit/v3/rls';
import { type GrpcService, serveMethod } from './grpc-service.ts';

/**
 * A rate limit service over gRPC, by gRPC's own library. It says in `x-asked` what it was asked, and in `x-ended` what it was told meanwhile of a
 * request that was over; a descriptor that has `over` is over its limit.
 */
export function startLimiter(): Promise<GrpcService> {
  let ended = 'none';
  return serveMethod(
    '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
    false,
    RateLimitRequestSchema,
    ({ request }: ServerUnaryCall<RateLimitRequest, Buffer>, answer: sendUnaryData<Buffer>) => {
      const asked = said(request);
      const before = ended;
      ended = asked.includes('=end') ? asked : 'none';
      const statuses = request.descriptors.map(({ entries }) => ({
        code: entries.some(({ value }) => value === 'over') ? Code.OVER_LIMIT : Code.OK,
        currentLimit: { requestsPerUnit: 5, unit: Unit.MINUTE },
        limitRemaining: 3,
        durationUntilReset: { seconds: 17n },
      }));
      const over = statuses.some(({ code }) => code === Code.OVER_LIMIT);
      const message = create(RateLimitResponseSchema, {
        overallCode: over ? Code.OVER_LIMIT : Code.OK,
        statuses,
        responseHeadersToAdd: [
          { key: 'x-asked', value: asked },
          { key: 'x-ended', value: before },
        ],
        requestHeadersToAdd: [{ key: 'x-limiter', value: 'asked' }],
      });
      answer(null, Buffer.from(toBinary(RateLimitResponseSchema, message)));
    },
  );
}

function said({ domain, descriptors }: RateLimitRequest): string {
  const parts = descriptors.map(({ entries, limit, hitsAddend, isNegativeHits }) => {
    const pairs = entries.map(({ key, value }) => `${key}=${value}`).join(',');
    const hits = hitsAddend === undefined ? '' : ` ${isNegativeHits ? '-' : '+'}${hitsAddend}`;
    return pairs + hits + (limit === undefined ? '' : ` ${limit.requestsPerUnit}/${limit.unit}`);
  });
  return `${domain}: ${parts.join('; ')}`;
}
