import type { JsonSchema } from './json-schema.ts';

/** Configuration of `tulle.http.grpc-web`, which has nothing to choose (Envoy `filters.http.grpc_web.v3.GrpcWeb`). */
export type GrpcWebFilterConfig = Readonly<Record<string, never>>;

/** Id of the gRPC-Web filter. */
export const GRPC_WEB_FILTER = 'tulle.http.grpc-web';

/** JSON Schema of {@link GrpcWebFilterConfig}. */
export const grpcWebFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {},
};
