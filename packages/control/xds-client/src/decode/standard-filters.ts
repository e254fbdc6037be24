import { isMessage, type Message } from '@bufbuild/protobuf';
import {
  ADAPTIVE_CONCURRENCY_FILTER,
  ADMISSION_CONTROL_FILTER,
  AUTHZ_FILTER,
  BUFFER_FILTER,
  COMPRESSION_FILTER,
  CORS_FILTER,
  EXT_AUTHZ_FILTER,
  EXT_PROC_FILTER,
  FAULT_FILTER,
  GLOBAL_RATE_LIMIT_FILTER,
  GRPC_WEB_FILTER,
  HEADERS_FILTER,
  HEALTH_CHECK_FILTER,
  JWT_FILTER,
  RATE_LIMIT_FILTER,
  SET_FILTER_STATE_FILTER,
  WASM_FILTER,
} from '@tulle/model';
import { AdaptiveConcurrencySchema } from '@tulle/xds-proto/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency';
import { AdmissionControlSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/admission_control/v3/admission_control';
import {
  BufferPerRouteSchema,
  BufferSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/buffer/v3/buffer';
import {
  CompressorPerRouteSchema,
  CompressorSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/compressor/v3/compressor';
import { CorsPolicySchema, CorsSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/cors/v3/cors';
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz';
import {
  ExternalProcessorSchema,
  ExtProcPerRouteSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_proc/v3/ext_proc';
import { HealthCheckSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/health_check/v3/health_check';
import { HTTPFaultSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import { GrpcWebSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/grpc_web/v3/grpc_web';
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/header_mutation/v3/header_mutation';
import {
  JwtAuthenticationSchema,
  PerRouteConfigSchema as JwtPerRouteSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/jwt_authn/v3/config';
import { LocalRateLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit';
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ratelimit/v3/rate_limit';
import { RBACPerRouteSchema, RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { WasmSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/wasm/v3/wasm';
import { decodeAdaptiveConcurrency } from './adaptive-concurrency.ts';
import { decodeAdmissionControl } from './admission-control.ts';
import { decodeAuthz } from './authz/rbac.ts';
import { decodeBuffer, decodeBufferRoute } from './buffer.ts';
import { decodeCompression, decodeCompressionRoute } from './compression.ts';
import type { DecodeContext } from './context.ts';
import { decodeCors } from './cors.ts';
import { decodeExtAuthz, decodeExtAuthzRoute } from './ext-authz.ts';
import { decodeExtProc, decodeExtProcRoute } from './ext-proc.ts';
import { decodeFault } from './fault.ts';
import { decodeGlobalRateLimit, decodeGlobalRateLimitRoute } from './global-rate-limit.ts';
import { decodeHeaderMutations } from './header-filter.ts';
import { decodeHealthCheckFilter } from './health-check-filter.ts';
import { decodeJwt, decodeJwtRoute } from './jwt.ts';
import { decodeRateLimit } from './rate-limit.ts';
import { ConfigSchema as SetFilterStateSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state';
import { decodeSetFilterState } from './set-filter-state.ts';
import { decodeWasm } from './wasm.ts';

/** A filter of this proxy with its config. */
export interface KnownFilter {
  readonly filter: string;
  readonly config: unknown;
}

/** What one of Envoy's messages in a chain stands for. @returns `undefined` when it is not among the standard filters */
export function decodeStandard(
  context: DecodeContext,
  message: Message,
  path: string,
): KnownFilter | undefined {
  if (isMessage(message, HTTPFaultSchema))
    return { filter: FAULT_FILTER, config: decodeFault(context, message, path) };
  if (isMessage(message, HeaderMutationSchema))
    return {
      filter: HEADERS_FILTER,
      config: {
        ...decodeHeaderMutations(context, message.mutations, `${path}.mutations`),
        ...(message.mostSpecificHeaderMutationsWins && { specificLast: true }),
      },
    };
  if (isMessage(message, RBACSchema))
    return { filter: AUTHZ_FILTER, config: decodeAuthz(context, message, path) };
  if (isMessage(message, JwtAuthenticationSchema))
    return { filter: JWT_FILTER, config: decodeJwt(context, message, path) };
  if (isMessage(message, ExtAuthzSchema))
    return { filter: EXT_AUTHZ_FILTER, config: decodeExtAuthz(context, message, path) };
  if (isMessage(message, ExternalProcessorSchema))
    return { filter: EXT_PROC_FILTER, config: decodeExtProc(context, message, path) };
  if (isMessage(message, WasmSchema))
    return { filter: WASM_FILTER, config: decodeWasm(context, message, path) };
  if (isMessage(message, LocalRateLimitSchema))
    return { filter: RATE_LIMIT_FILTER, config: decodeRateLimit(context, message, path) };
  if (isMessage(message, AdaptiveConcurrencySchema))
    return {
      filter: ADAPTIVE_CONCURRENCY_FILTER,
      config: decodeAdaptiveConcurrency(context, message, path),
    };
  if (isMessage(message, AdmissionControlSchema))
    return { filter: ADMISSION_CONTROL_FILTER, config: decodeAdmissionControl(context, message, path) };
  // Its policies stand on virtual hosts and routes.
  if (isMessage(message, CorsSchema)) return { filter: CORS_FILTER, config: { allowOrigins: [] } };
  if (isMessage(message, GrpcWebSchema)) return { filter: GRPC_WEB_FILTER, config: {} };
  if (isMessage(message, RateLimitSchema))
    return { filter: GLOBAL_RATE_LIMIT_FILTER, config: decodeGlobalRateLimit(context, message, path) };
  if (isMessage(message, HealthCheckSchema))
    return { filter: HEALTH_CHECK_FILTER, config: decodeHealthCheckFilter(context, message, path) };
  if (isMessage(message, SetFilterStateSchema))
    return { filter: SET_FILTER_STATE_FILTER, config: decodeSetFilterState(context, message, path) };
  if (isMessage(message, BufferSchema))
    return { filter: BUFFER_FILTER, config: decodeBuffer(context, message, path) };
  if (isMessage(message, CompressorSchema))
    return { filter: COMPRESSION_FILTER, config: decodeCompression(context, message, path) };
  return undefined;
}

/** The config that one of Envoy's messages on a route stands for. @returns `undefined` when it is none of the standard filters' */
export function decodeStandardOverride(
  context: DecodeContext,
  message: Message,
  path: string,
): { readonly config: unknown } | undefined {
  // The most specific one is in force, whole.
  if (isMessage(message, HTTPFaultSchema))
    return { config: { ...decodeFault(context, message, path), replaces: true } };
  if (isMessage(message, HeaderMutationPerRouteSchema))
    return { config: decodeHeaderMutations(context, message.mutations, `${path}.mutations`) };
  if (isMessage(message, RBACPerRouteSchema))
    // Without a config the filter is off.
    return { config: message.rbac ? decodeAuthz(context, message.rbac, `${path}.rbac`) : null };
  if (isMessage(message, JwtPerRouteSchema)) return { config: decodeJwtRoute(context, message, path) };
  if (isMessage(message, ExtAuthzPerRouteSchema))
    return { config: decodeExtAuthzRoute(context, message, path) };
  if (isMessage(message, ExtProcPerRouteSchema))
    return { config: decodeExtProcRoute(context, message, path) };
  if (isMessage(message, LocalRateLimitSchema)) return { config: decodeRateLimit(context, message, path) };
  if (isMessage(message, CompressorPerRouteSchema))
    return { config: decodeCompressionRoute(context, message, path) };
  if (isMessage(message, RateLimitPerRouteSchema))
    return { config: decodeGlobalRateLimitRoute(context, message, path) };
  if (isMessage(message, BufferPerRouteSchema)) return { config: decodeBufferRoute(context, message, path) };
  if (isMessage(message, CorsPolicySchema)) return { config: decodeCors(context, message, path) };
  return undefined;
}
