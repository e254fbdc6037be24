import { FAILURE, GATEWAY_FAILURE, SUCCESS, type Outcome } from '@tulle/balance';
import type { FieldTable } from '@tulle/fields';
import { isEndpointFailure } from '../grpc/grpc-status.ts';
import type { UpstreamCluster } from '../sides.ts';

/** Of gRPC statuses, those that stand for 504 and 503. */
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;

/** What an answer says of its endpoint (Envoy takes gRPC statuses for the HTTP statuses that they stand for). */
export function outcomeOfAnswer(status: number, grpcStatus: number): Outcome {
  if (status >= 500) return status >= 502 && status <= 504 ? GATEWAY_FAILURE : FAILURE;
  if (!isEndpointFailure(grpcStatus)) return SUCCESS;
  return grpcStatus === DEADLINE_EXCEEDED || grpcStatus === UNAVAILABLE ? GATEWAY_FAILURE : FAILURE;
}

/** Likewise, where the cluster may judge by something else. */
export function outcomeOf(
  cluster: UpstreamCluster | undefined,
  status: number,
  grpcStatus: number,
  fields: FieldTable,
): Outcome {
  const failed = cluster === undefined || cluster.policies === null ? null : cluster.policies.failed;
  if (failed === null) return outcomeOfAnswer(status, grpcStatus);
  if (!failed(status, fields)) return SUCCESS;
  // What is a failure by its status too is one of that kind.
  return status >= 500 ? outcomeOfAnswer(status, -1) : FAILURE;
}
