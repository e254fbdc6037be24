/**
 * fast-check arbitraries of the data-plane model, for property tests of whatever carries, stores or compiles it.
 * @packageDocumentation
 */
import fc from 'fast-check';
import type { ProxyConfig } from '@tulle/model';
import { label, object } from './basics.ts';
import { cluster } from './clusters.ts';
import { endpointSet } from './endpoints.ts';
import { listener } from './listeners.ts';
import { routeConfig } from './routes.ts';

export { authzConfig, plainAuthzConfig } from './authz.ts';
export { cluster } from './clusters.ts';
export { endpoint, endpointSet } from './endpoints.ts';
export { listener } from './listeners.ts';
export { routeConfig } from './routes.ts';
export {
  connSetFilterStateConfig,
  faultConfig,
  filterConfigs,
  headersConfig,
  httpFilters,
  retryConfig,
  setFilterStateConfig,
} from './filters.ts';
export { connExtAuthzConfig, extProcRouteConfig, plainExtProcConfig } from './external.ts';
export { plainWasmConfig } from './wasm.ts';
export {
  adaptiveConcurrencyConfig,
  admissionControlConfig,
  compressionConfig,
  corsConfig,
  extAuthzConfig,
  extAuthzRouteConfig,
  connLimitConfig,
  connRateLimitConfig,
  ipAllowConfig,
  jwtConfig,
  plainExtAuthzConfig,
  plainJwtConfig,
  rateLimitConfig,
  routeCorsConfig,
  singleCompressionConfig,
  singleRateLimitConfig,
} from './standard-filters.ts';

/** Whole configurations. References need not lead anywhere: that is for who compiles them to judge. */
export const proxyConfig: fc.Arbitrary<ProxyConfig> = object<ProxyConfig>({
  version: label,
  listeners: fc.uniqueArray(listener(), { maxLength: 2, selector: ({ name }) => name }),
  routes: fc.uniqueArray(routeConfig(), { maxLength: 2, selector: ({ name }) => name }),
  clusters: fc.uniqueArray(cluster(), { maxLength: 3, selector: ({ name }) => name }),
  endpoints: fc.uniqueArray(endpointSet(), { maxLength: 2, selector: ({ name }) => name }),
});
