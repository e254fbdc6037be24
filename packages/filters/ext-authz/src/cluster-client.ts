import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { callGrpc, isTulleError, type FilterHost } from '@tulle/filter';
import type { ExtAuthzClusterService } from '@tulle/model';
import { compileSent } from '@tulle/match';
import type { CheckClient } from './check-client.ts';
import { checkRequest } from './check-request.ts';
import { readCheckResponse } from './check-response.ts';
import { CheckRequestSchema, CheckResponseSchema } from './gen/envoy/service/auth/v3/external_auth_pb.js';
import { failed, type FailureReason, type Outcome, type RunningCheck } from './outcome.ts';

/** Package, service and method of Envoy's API. */
const METHOD = '/envoy.service.auth.v3.Authorization/Check';
/** A larger answer is no answer. */
const MAX_ANSWER_BYTES = 1_048_576;

const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;

/** Asks a cluster over gRPC, the way that the engine's requests go. */
export function clusterClient(
  host: FilterHost,
  { grpcCluster: { cluster, authority, requestHeaders } }: ExtAuthzClusterService,
  withheldHeaders: readonly string[],
): CheckClient {
  const sent = compileSent(requestHeaders, withheldHeaders);

  return {
    check(stream, input): RunningCheck {
      const request = checkRequest(stream, input, sent, host.epochMs());
      return {
        outcome: ask(toBinary(CheckRequestSchema, request), input.timeoutMs),
        cancel: () => {},
      };
    },
    claimed: () => [],
    close: () => {},
  };

  async function ask(message: Uint8Array, timeoutMs: number): Promise<Outcome> {
    const endMs = host.nowMs() + timeoutMs;
    const outcome = await once(message, timeoutMs);
    // The connection had rested too long, most likely. A check changes nothing, so it may be asked again (D5).
    const leftMs = endMs - host.nowMs();
    return outcome.kind === 'failed' && outcome.reason === 'unavailable' && leftMs > 0
      ? once(message, leftMs)
      : outcome;
  }

  async function once(message: Uint8Array, timeoutMs: number): Promise<Outcome> {
    try {
      const reply = await callGrpc(host, {
        cluster,
        ...(authority === undefined ? {} : { authority }),
        path: METHOD,
        message,
        timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
      });
      if (reply.status !== 0 || reply.message === undefined)
        return failed(reasonOf(reply.status), `status ${reply.status} ${reply.text}`);
      return readCheckResponse(fromBinary(CheckResponseSchema, reply.message));
    } catch (error) {
      return fault(error);
    }
  }
}

function reasonOf(status: number): FailureReason {
  if (status === DEADLINE_EXCEEDED) return 'timeout';
  return status === UNAVAILABLE ? 'unavailable' : 'status';
}

function fault(error: unknown): Outcome {
  // Bytes that are no message.
  if (!isTulleError(error)) return failed('invalid', error instanceof Error ? error.message : String(error));
  const message = `${error.code} ${error.message}`;
  switch (error.code) {
    case 'TULLE_REQUEST_TIMEOUT':
      return failed('timeout', message);
    case 'TULLE_UPSTREAM_PROTOCOL':
      return failed('invalid', message);
    case 'TULLE_UPSTREAM_OVERFLOW':
      return failed('overflow', message);
    case 'TULLE_UPSTREAM_RESET':
      return failed('unavailable', message);
    default:
      return failed('unavailable', message);
  }
}
