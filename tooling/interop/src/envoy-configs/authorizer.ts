import { create, toBinary } from '@bufbuild/protobuf';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import {
  type CheckRequest,
  CheckRequestSchema,
  CheckResponseSchema,
} from '@tulle/xds-proto/envoy/service/auth/v3/external_auth';
import { type GrpcService, serveMethod } from './grpc-service.ts';

/** gRPC's code for a refusal. */
const PERMISSION_DENIED = 7;

/** An authorization service over gRPC: lets connections pass that come from this machine, unless it is called `deny`. */
export function startAuthorizer(): Promise<GrpcService> {
  return serveMethod(
    '/envoy.service.auth.v3.Authorization/Check',
    false,
    CheckRequestSchema,
    (call: ServerUnaryCall<CheckRequest, Buffer>, reply: sendUnaryData<Buffer>): void => {
      const address = call.request.attributes?.source?.address?.address;
      const here = address?.case === 'socketAddress' && address.value.address === '127.0.0.1';
      const code = here && call.getHost() !== 'deny' ? 0 : PERMISSION_DENIED;
      reply(
        null,
        Buffer.from(toBinary(CheckResponseSchema, create(CheckResponseSchema, { status: { code } }))),
      );
    },
  );
}
