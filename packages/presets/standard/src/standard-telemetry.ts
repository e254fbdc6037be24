import type { TelemetryPlugin } from '@tulle/telemetry';
import { accessLog, accessLoggers, type AccessLogOptions } from '@tulle/telemetry-access-log';
import { otlp, tracers, type OtlpOptions } from '@tulle/telemetry-otlp';
import { prometheus, type PrometheusOptions } from '@tulle/telemetry-prometheus';

/** What the standard telemetry is made of. */
export interface StandardTelemetryOptions {
  readonly prometheus?: PrometheusOptions;
  /** False: no access log. Default: JSON lines to standard output. */
  readonly accessLog?: AccessLogOptions | false;
  /**
   * OpenTelemetry over OTLP; its metrics include those for Prometheus. Default false: nothing of it is loaded. `{}` does
   * as the environment says.
   */
  readonly otlp?: OtlpOptions | false;
}

/**
 * The exporters that ship with Tulle, counting in one place: Prometheus metrics, the access log, OpenTelemetry, and what
 * the access logs and the tracing need that a configuration asks for.
 */
export function standardTelemetry(options: StandardTelemetryOptions = {}): readonly TelemetryPlugin[] {
  const metrics = prometheus(options.prometheus);
  const self = options.prometheus?.self;
  return [
    metrics,
    ...(options.accessLog === false ? [] : [accessLog({ meter: metrics.meter, ...options.accessLog })]),
    ...(options.otlp === undefined || options.otlp === false
      ? []
      : [otlp({ registry: metrics.meter, ...(self === undefined ? {} : { self }), ...options.otlp })]),
    accessLoggers({ meter: metrics.meter }),
    tracers({ meter: metrics.meter, ...(self === undefined ? {} : { self }) }),
  ];
}
