import { namedFormat } from '@tulle/telemetry-access-log';
import { otlpConfigured } from '@tulle/telemetry-otlp';
import type { DialectName } from '@tulle/telemetry-prometheus';
import type { SidecarTelemetry } from './options.ts';

/** Flags of the command that say what is reported. */
export interface TelemetryFlags {
  readonly 'access-log-format'?: string | undefined;
  readonly metrics?: readonly string[] | undefined;
  readonly 'otlp-endpoint'?: string | undefined;
  readonly 'trace-ratio'?: string | undefined;
}

const DIALECTS: readonly DialectName[] = ['native', 'istio'];

/**
 * Reads the flags; OpenTelemetry is on when a flag or the environment names a collector.
 * @param usage ends the command with a sentence about its use
 */
export function telemetryOf(
  flags: TelemetryFlags,
  usage: (message: string) => never,
  env: Readonly<Record<string, string | undefined>> = process.env,
): SidecarTelemetry {
  const format = namedFormat(flags['access-log-format'] ?? 'tulle');
  const metrics = flags.metrics?.map(
    (name) =>
      DIALECTS.find((dialect) => dialect === name) ??
      usage(`--metrics ${JSON.stringify(name)} is none of ${DIALECTS.join(', ')}`),
  );
  const endpoint = flags['otlp-endpoint'];
  const ratio = flags['trace-ratio'];
  if (ratio !== undefined && !(Number(ratio) >= 0 && Number(ratio) <= 1))
    usage(`--trace-ratio ${JSON.stringify(ratio)} is no share, 0 to 1`);
  if (ratio !== undefined && endpoint === undefined && !otlpConfigured(env))
    usage('--trace-ratio needs a collector: give --otlp-endpoint or OTEL_EXPORTER_OTLP_ENDPOINT');
  const otlp = endpoint !== undefined || otlpConfigured(env);
  return {
    ...(format === undefined ? {} : { accessLogFormat: format }),
    ...(metrics === undefined ? {} : { metricsDialects: metrics }),
    ...(otlp
      ? {
          otlp: {
            environment: true,
            ...(endpoint === undefined ? {} : { endpoint }),
            ...(ratio === undefined ? {} : { traces: { sampleRatio: Number(ratio) } }),
          },
        }
      : {}),
  };
}
