import {
  ADAPTIVE_CONCURRENCY_FILTER,
  ADMISSION_CONTROL_FILTER,
  AUTHZ_FILTER,
  CONN_AUTHZ_FILTER,
  CONN_EXT_AUTHZ_FILTER,
  CONN_LIMIT_FILTER,
  CONN_RATE_LIMIT_FILTER,
  CONN_SET_FILTER_STATE_FILTER,
  BUFFER_FILTER,
  COMPRESSION_FILTER,
  CORS_FILTER,
  EXT_AUTHZ_FILTER,
  EXT_PROC_FILTER,
  FAULT_FILTER,
  GLOBAL_RATE_LIMIT_FILTER,
  GRPC_WEB_FILTER,
  HEALTH_CHECK_FILTER,
  HEADERS_FILTER,
  IP_ALLOW_FILTER,
  JWT_FILTER,
  RATE_LIMIT_FILTER,
  RETRY_FILTER,
  SET_FILTER_STATE_FILTER,
  WASM_FILTER,
} from '@tulle/model';
import { expect, it } from 'vitest';
import { standardFilters, standardTelemetry } from './index.ts';

it('has every standard filter of the model once', () => {
  expect(standardFilters.map((filter) => filter.definition.id).toSorted()).toEqual(
    [
      ADAPTIVE_CONCURRENCY_FILTER,
      ADMISSION_CONTROL_FILTER,
      AUTHZ_FILTER,
      CONN_AUTHZ_FILTER,
      CONN_EXT_AUTHZ_FILTER,
      CONN_LIMIT_FILTER,
      CONN_RATE_LIMIT_FILTER,
      CONN_SET_FILTER_STATE_FILTER,
      BUFFER_FILTER,
      COMPRESSION_FILTER,
      CORS_FILTER,
      EXT_AUTHZ_FILTER,
      EXT_PROC_FILTER,
      FAULT_FILTER,
      GLOBAL_RATE_LIMIT_FILTER,
      GRPC_WEB_FILTER,
      HEALTH_CHECK_FILTER,
      HEADERS_FILTER,
      IP_ALLOW_FILTER,
      JWT_FILTER,
      RATE_LIMIT_FILTER,
      RETRY_FILTER,
      SET_FILTER_STATE_FILTER,
      WASM_FILTER,
    ].toSorted(),
  );
});

it('has one meter, where the access log counts too', async () => {
  const plugins = standardTelemetry({
    accessLog: { to: { fd: 1 } },
    prometheus: { processMetrics: false },
  });
  expect(plugins.map((plugin) => plugin.name)).toEqual([
    'prometheus',
    'access-log',
    'access-loggers',
    'tracers',
  ]);
  expect(plugins.filter((plugin) => plugin.meter !== undefined)).toHaveLength(1);
  const page = plugins[0]?.adminPages?.[0]?.render(new URLSearchParams()) ?? [];
  expect([...page].join('')).toContain('tulle_access_log_lines_total 0');
  for (const plugin of plugins) await plugin.sink?.close?.();
});

it('leaves the access log out where it is not wanted', () => {
  expect(standardTelemetry({ accessLog: false }).map((plugin) => plugin.name)).toEqual([
    'prometheus',
    'access-loggers',
    'tracers',
  ]);
});

it('exports over OTLP where that is wanted, from the same numbers', async () => {
  const plugins = standardTelemetry({
    accessLog: false,
    otlp: { env: {}, endpoint: 'http://127.0.0.1:9', metrics: true, timeoutMs: 100 },
    prometheus: { processMetrics: false },
  });
  expect(plugins.map((plugin) => plugin.name)).toEqual(['prometheus', 'otlp', 'access-loggers', 'tracers']);
  expect(plugins.filter((plugin) => plugin.meter !== undefined)).toHaveLength(1);
  expect(plugins[1]?.tracing?.sampleRatio).toBe(0.01);
  const page = plugins[0]?.adminPages?.[0]?.render(new URLSearchParams()) ?? [];
  expect([...page].join('')).toContain('tulle_otlp_spans_queued 0');
  for (const plugin of plugins) await plugin.sink?.close?.();
});
