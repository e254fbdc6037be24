import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { callGrpc, type FilterHost } from '@tulle/filter';
import type { ExtAuthzClusterService } from '@tulle/model';
import { compileSent } from '@tulle/match';
import type { CheckClient } from './check-client.ts';
import { checkRequest } from './check-request.ts';
import { readCheckResponse } from './check-response.ts';
import { CheckRequestSchema, CheckResponseSchema } from './gen/envoy/service/auth/v3/external_auth_pb.js';
import { failed, failureOf, type FailureReason, type Outcome, type RunningCheck } from './outcome.ts';

/** Package, service and method of Envoy's API. */
const METHOD = '/envoy.service.auth.v3.Authorization/Check';
/** A larger answer is no answer. */
const MAX_ANSWER_BYTES = 1_048_576;

const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;

/** Asks a cluster over gRPC, the way that the engine's requests go. */
export function clusterClient(
  host: FilterHost,
  { grpcCluster: { requestHeaders, ...service } }: ExtAuthzClusterService,
  withheldHeaders: readonly string[],
): CheckClient {
  const sent = compileSent(requestHeaders, withheldHeaders);
  const ask = clusterAsker(host, service);
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
}

/** Puts a question, encoded, and never rejects. */
export type Ask = (message: Uint8Array, timeoutMs: number) => Promise<Outcome>;

/** The same for whatever is asked about. */
export function clusterAsker(
  host: FilterHost,
  { cluster, authority }: { readonly cluster: string; readonly authority?: string },
): Ask {
  return async (message, timeoutMs) => {
    const endMs = host.nowMs() + timeoutMs;
    const outcome = await once(message, timeoutMs);
    // The connection had rested too long, most likely. A check changes nothing, so it may be asked again (D5).
    const leftMs = endMs - host.nowMs();
    return outcome.kind === 'failed' && outcome.reason === 'unavailable' && leftMs > 0
      ? once(message, leftMs)
      : outcome;
  };

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
      // Else: bytes that are no message.
      return failureOf(error, 'invalid');
    }
  }
}

function reasonOf(status: number): FailureReason {
  if (status === DEADLINE_EXCEEDED) return 'timeout';
  return status === UNAVAILABLE ? 'unavailable' : 'status';
}
