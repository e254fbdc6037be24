import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import {
  ADAPTIVE_CONCURRENCY_FILTER,
  ADMISSION_CONTROL_FILTER,
  BUFFER_FILTER,
  SET_FILTER_STATE_FILTER,
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
  WASM_FILTER,
} from '@tulle/model';
import { AdaptiveConcurrencySchema } from '@tulle/xds-proto/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency';
import { AdmissionControlSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/admission_control/v3/admission_control';
import {
  BufferPerRouteSchema,
  BufferSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/buffer/v3/buffer';
import { CompressorSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/compressor/v3/compressor';
import { CorsPolicySchema, CorsSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/cors/v3/cors';
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz';
import {
  ExternalProcessorSchema,
  ExtProcPerRouteSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_proc/v3/ext_proc';
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
import { HealthCheckSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/health_check/v3/health_check';
import { WasmSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/wasm/v3/wasm';
import { encodeAdaptiveConcurrency } from './adaptive-concurrency.ts';
import { encodeAdmissionControl } from './admission-control.ts';
import { encodeBuffer, encodeBufferRoute } from './buffer.ts';
import { encodeCompression } from './compression.ts';
import { encodeCors, isEmptyCors } from './cors.ts';
import { encodeExtAuthz, encodeExtAuthzRoute } from './ext-authz.ts';
import { encodeExtProc, encodeExtProcRoute } from './ext-proc.ts';
import { encodeFault, encodeFaultOverride } from './fault.ts';
import type { ClientRelease, EncodeForm } from './form.ts';
import { encodeGlobalRateLimit, encodeGlobalRateLimitRoute } from './global-rate-limit.ts';
import { encodeHeaderMutations, hasSpecificLast } from './header-filter.ts';
import { encodeHealthCheckFilter } from './health-check-filter.ts';
import { encodeJwt, encodeJwtRoute } from './jwt.ts';
import { encodeRateLimit } from './rate-limit.ts';
import { hasOnly, isObject } from './shape.ts';
import { ConfigSchema as SetFilterStateSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state';
import { encodeSetFilterState } from './set-filter-state.ts';
import { encodeWasm } from './wasm.ts';

/** How a standard filter's configs are written as Envoy's; `undefined` where Envoy's type would not say exactly the same. */
interface StandardFilter {
  chain(config: unknown): Any | undefined;
  /** A route's override. @param own for Tulle's data plane of this release */
  route(config: unknown, own: boolean): Any | undefined;
}

const packed = <Desc extends DescMessage>(
  desc: Desc,
  message: MessageShape<Desc> | undefined,
): Any | undefined => message && anyPack(desc, message);

/** By filter id. */
const STANDARD: Readonly<Record<string, StandardFilter>> = {
  [FAULT_FILTER]: {
    chain: (config) => packed(HTTPFaultSchema, encodeFault(config)),
    route: (config, own) => packed(HTTPFaultSchema, encodeFaultOverride(config, own)),
  },
  [HEADERS_FILTER]: {
    chain(config) {
      const mutations = encodeHeaderMutations(config, true);
      const mostSpecificHeaderMutationsWins = hasSpecificLast(config);
      return (
        mutations &&
        anyPack(
          HeaderMutationSchema,
          create(HeaderMutationSchema, { mutations, mostSpecificHeaderMutationsWins }),
        )
      );
    },
    route(config) {
      const mutations = encodeHeaderMutations(config, false);
      return (
        mutations &&
        anyPack(HeaderMutationPerRouteSchema, create(HeaderMutationPerRouteSchema, { mutations }))
      );
    },
  },
  [RATE_LIMIT_FILTER]: {
    chain: (config) => packed(LocalRateLimitSchema, encodeRateLimit(config)),
    route: (config) => packed(LocalRateLimitSchema, encodeRateLimit(config)),
  },
  // Envoy has neither on routes.
  [ADAPTIVE_CONCURRENCY_FILTER]: {
    chain: (config) => packed(AdaptiveConcurrencySchema, encodeAdaptiveConcurrency(config)),
    route: () => undefined,
  },
  [ADMISSION_CONTROL_FILTER]: {
    chain: (config) => packed(AdmissionControlSchema, encodeAdmissionControl(config)),
    route: () => undefined,
  },
  [CORS_FILTER]: {
    chain: (config) => (isEmptyCors(config) ? anyPack(CorsSchema, create(CorsSchema)) : undefined),
    route: (config, own) => packed(CorsPolicySchema, encodeCors(config, own)),
  },
  [EXT_AUTHZ_FILTER]: {
    chain: (config) => packed(ExtAuthzSchema, encodeExtAuthz(config)),
    route: (config) => packed(ExtAuthzPerRouteSchema, encodeExtAuthzRoute(config)),
  },
  [EXT_PROC_FILTER]: {
    chain: (config) => packed(ExternalProcessorSchema, encodeExtProc(config)),
    route: (config) => packed(ExtProcPerRouteSchema, encodeExtProcRoute(config)),
  },
  [WASM_FILTER]: {
    chain: (config) => packed(WasmSchema, encodeWasm(config)),
    route: () => undefined,
  },
  [JWT_FILTER]: {
    chain: (config) => packed(JwtAuthenticationSchema, encodeJwt(config)),
    route: (config) => packed(JwtPerRouteSchema, encodeJwtRoute(config)),
  },
  [GRPC_WEB_FILTER]: {
    chain: (config) =>
      config === undefined || (isObject(config) && hasOnly(config, []))
        ? anyPack(GrpcWebSchema, create(GrpcWebSchema))
        : undefined,
    route: () => undefined,
  },
  [GLOBAL_RATE_LIMIT_FILTER]: {
    chain: (config) => packed(RateLimitSchema, encodeGlobalRateLimit(config)),
    route: (config) => packed(RateLimitPerRouteSchema, encodeGlobalRateLimitRoute(config)),
  },
  [HEALTH_CHECK_FILTER]: {
    chain: (config) => packed(HealthCheckSchema, encodeHealthCheckFilter(config)),
    route: () => undefined,
  },
  [SET_FILTER_STATE_FILTER]: {
    chain: (config) => packed(SetFilterStateSchema, encodeSetFilterState(config)),
    route: () => undefined,
  },
  [BUFFER_FILTER]: {
    chain: (config) => packed(BufferSchema, encodeBuffer(config)),
    route: (config) => packed(BufferPerRouteSchema, encodeBufferRoute(config)),
  },
  [COMPRESSION_FILTER]: {
    chain: (config) => packed(CompressorSchema, encodeCompression(config)),
    route: () => undefined,
  },
};

/** What the release before read as Envoy's. */
const OLDER: ReadonlySet<string> = new Set([FAULT_FILTER, HEADERS_FILTER]);

const isWritten = (filter: string, release: ClientRelease): boolean =>
  Object.hasOwn(STANDARD, filter) && (release === 'this' || OLDER.has(filter));

/** A filter's config in a chain as Envoy's type. @returns `undefined` where there is none that says exactly the same */
export function encodeStandard(filter: string, config: unknown, release: ClientRelease): Any | undefined {
  return isWritten(filter, release) ? STANDARD[filter]?.chain(config) : undefined;
}

/** A filter's config on a route as Envoy's type. @returns `undefined` where there is none that says exactly the same */
export function encodeStandardOverride(
  filter: string,
  config: unknown,
  { release, workloadCertificate }: EncodeForm,
): Any | undefined {
  const own = release === 'this' && workloadCertificate.kind === 'own';
  return isWritten(filter, release) ? STANDARD[filter]?.route(config, own) : undefined;
}
