import type { TelemetryPlugin } from '@tulle/telemetry';
import { accessLog, type AccessLogOptions } from '@tulle/telemetry-access-log';
import { prometheus, type PrometheusOptions } from '@tulle/telemetry-prometheus';

/** What the standard telemetry is made of. */
export interface StandardTelemetryOptions {
  readonly prometheus?: PrometheusOptions;
  /** False: no access log. Default: JSON lines to standard output. */
  readonly accessLog?: AccessLogOptions | false;
}

/** The exporters that ship with Tulle, counting in one place: Prometheus metrics and the JSON access log. */
export function standardTelemetry(options: StandardTelemetryOptions = {}): readonly TelemetryPlugin[] {
  const metrics = prometheus(options.prometheus);
  if (options.accessLog === false) return [metrics];
  return [metrics, accessLog({ meter: metrics.meter, ...options.accessLog })];
}
