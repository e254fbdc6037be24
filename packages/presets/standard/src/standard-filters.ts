import type { AnyConnFilter, AnyHttpFilter } from '@tulle/filter';
import { adaptiveConcurrency } from '@tulle/filter-adaptive-concurrency';
import { admissionControl } from '@tulle/filter-admission-control';
import { authz, connAuthz } from '@tulle/filter-authz';
import { buffer } from '@tulle/filter-buffer';
import { compression } from '@tulle/filter-compression';
import { cors } from '@tulle/filter-cors';
import { connExtAuthz, extAuthz } from '@tulle/filter-ext-authz';
import { extProc } from '@tulle/filter-ext-proc';
import { fault } from '@tulle/filter-fault';
import { grpcWeb } from '@tulle/filter-grpc-web';
import { healthCheck } from '@tulle/filter-health-check';
import { headers } from '@tulle/filter-headers';
import { ipAllow } from '@tulle/filter-ip-allow';
import { jwt } from '@tulle/filter-jwt';
import { connLimit, connRateLimit, globalRateLimit, rateLimit } from '@tulle/filter-ratelimit';
import { retry } from '@tulle/filter-retry';
import { connSetFilterState, setFilterState } from '@tulle/filter-set-filter-state';
import { wasm } from '@tulle/filter-wasm';

/** The filters that ship with Tulle. A main hands this list to the proxy as its registry; add yours, or leave some out. */
export const standardFilters: readonly (AnyHttpFilter | AnyConnFilter)[] = Object.freeze([
  adaptiveConcurrency,
  admissionControl,
  authz,
  connAuthz,
  connExtAuthz,
  connLimit,
  connRateLimit,
  connSetFilterState,
  buffer,
  compression,
  cors,
  extAuthz,
  extProc,
  fault,
  globalRateLimit,
  grpcWeb,
  healthCheck,
  headers,
  ipAllow,
  jwt,
  rateLimit,
  retry,
  setFilterState,
  wasm,
]);
