import { FAILURE, GATEWAY_FAILURE, SUCCESS, type Outcome } from '@tulle/balance';
import { isEndpointFailure } from '../grpc/grpc-status.ts';

/** Of gRPC statuses, those that stand for 504 and 503. */
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;

/** What an answer says of its endpoint (Envoy takes gRPC statuses for the HTTP statuses that they stand for). */
export function outcomeOfAnswer(status: number, grpcStatus: number): Outcome {
  if (status >= 500) return status >= 502 && status <= 504 ? GATEWAY_FAILURE : FAILURE;
  if (!isEndpointFailure(grpcStatus)) return SUCCESS;
  return grpcStatus === DEADLINE_EXCEEDED || grpcStatus === UNAVAILABLE ? GATEWAY_FAILURE : FAILURE;
}
