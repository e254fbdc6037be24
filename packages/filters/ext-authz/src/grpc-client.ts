import { readFileSync } from 'node:fs';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  Client,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ServiceError,
} from '@grpc/grpc-js';
import { TulleError, type FilterHost } from '@tulle/filter';
import type { ExtAuthzGrpcService } from '@tulle/model';
import { compileSent } from '@tulle/match';
import type { CheckClient } from './check-client.ts';
import { checkRequest } from './check-request.ts';
import { readCheckResponse } from './check-response.ts';
import {
  CheckRequestSchema,
  CheckResponseSchema,
  type CheckRequest,
  type CheckResponse,
} from './gen/envoy/service/auth/v3/external_auth_pb.js';
import { failed, type Outcome, type RunningCheck } from './outcome.ts';

/** RFC-less, but fixed: package, service and method of Envoy's API. */
const METHOD = '/envoy.service.auth.v3.Authorization/Check';
/** A larger answer is no answer. */
const MAX_ANSWER_BYTES = 1_048_576;
/** After a failure a connection is tried again soon: while there is none, everything is refused. */
const RECONNECT = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 2_000 };

/** Asks over gRPC, by grpc-js. Its module is loaded only where a configuration has such a service. */
export function grpcClient(
  host: FilterHost,
  { grpc }: ExtAuthzGrpcService,
  withheldHeaders: readonly string[],
): CheckClient {
  const { serverName } = grpc.tls ?? {};
  const client = new Client(grpc.target, credentialsOf(grpc), {
    ...RECONNECT,
    'grpc.max_receive_message_length': MAX_ANSWER_BYTES,
    // What decides over requests is not sent through a proxy that the environment names.
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
  });
  const sent = compileSent(grpc.requestHeaders, withheldHeaders);

  return {
    check(stream, input): RunningCheck {
      const request = checkRequest(stream, input, sent, host.epochMs());
      let cancel: () => void = () => {};
      const outcome = new Promise<Outcome>((resolve) => {
        const call = client.makeUnaryRequest(
          METHOD,
          serialize,
          deserialize,
          request,
          new Metadata(),
          (error, response) => {
            stopTimer();
            resolve(error !== null || response === undefined ? fault(error) : readCheckResponse(response));
          },
        );
        // The proxy's own clock, so that time is a test's to move.
        const stopTimer = host.after(input.timeoutMs, () => {
          resolve(failed('timeout', `no answer within ${input.timeoutMs} ms`));
          call.cancel();
        });
        cancel = () => {
          stopTimer();
          resolve(failed('unavailable', 'the caller went away'));
          call.cancel();
        };
      });
      return { outcome, cancel: () => cancel() };
    },
    claimed: () => [],
    close: () => client.close(),
  };
}

function fault(error: ServiceError | null): Outcome {
  if (error === null) return failed('invalid', 'there is no message');
  const message = `${status[error.code] ?? error.code} ${error.details}`;
  switch (error.code) {
    case status.DEADLINE_EXCEEDED:
      return failed('timeout', message);
    // grpc-js says so of messages that are none.
    case status.INTERNAL:
    case status.RESOURCE_EXHAUSTED:
      return failed('invalid', message);
    case status.UNAVAILABLE:
    case status.CANCELLED:
      return failed('unavailable', message);
    default:
      return failed('status', message);
  }
}

function serialize(message: CheckRequest): Buffer {
  return Buffer.from(toBinary(CheckRequestSchema, message));
}

function deserialize(bytes: Buffer): CheckResponse {
  return fromBinary(CheckResponseSchema, bytes);
}

/** @throws TulleError `TULLE_CONFIG_INVALID` for a way that is not safe, or files that cannot be used */
function credentialsOf({ target, tls, plaintext }: ExtAuthzGrpcService['grpc']): ChannelCredentials {
  if (tls === undefined) {
    if (plaintext === true || isLocal(target)) return credentials.createInsecure();
    throw invalid(
      '/service/grpc/tls',
      `is missing, and whoever is on the way to ${JSON.stringify(target)} would decide who gets in; give tls, or say plaintext: true`,
    );
  }
  const { caFile, certificateFile, keyFile } = tls;
  if ((certificateFile === undefined) !== (keyFile === undefined))
    throw invalid('/service/grpc/tls', 'needs certificateFile and keyFile, or neither');
  const file = (name: 'caFile' | 'certificateFile' | 'keyFile'): Buffer | null => {
    const path = tls[name];
    if (path === undefined) return null;
    try {
      return readFileSync(path);
    } catch (error) {
      throw invalid(
        `/service/grpc/tls/${name}`,
        `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
  try {
    return credentials.createSsl(
      caFile === undefined ? null : file('caFile'),
      file('keyFile'),
      file('certificateFile'),
    );
  } catch (error) {
    if (error instanceof TulleError) throw error;
    throw invalid(
      '/service/grpc/tls',
      `cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function isLocal(target: string): boolean {
  return /^unix:|^(?:dns:(?:\/\/\/)?|ipv4:|ipv6:)?(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(
    target,
  );
}

function invalid(path: string, message: string): TulleError {
  return new TulleError('TULLE_CONFIG_INVALID', `${path} ${message}`, { issues: [{ path, message }] });
}
