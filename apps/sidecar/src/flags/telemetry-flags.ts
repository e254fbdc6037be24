import type { SidecarTelemetry } from '../options.ts';
import { FlagError } from './flag-error.ts';
import type { SidecarFlagValues } from './flag-specs.ts';

const DIALECTS = ['native', 'istio'] as const;

/**
 * Reads what is to be reported.
 * @param env variables that may name a collector too, and say the rest of it; undefined: they are somebody else's
 * @throws FlagError
 */
export async function telemetryOf(
  flags: Pick<SidecarFlagValues, 'access-log-format' | 'metrics' | 'otlp-endpoint' | 'trace-ratio'>,
  env: Readonly<Record<string, string | undefined>> | undefined,
): Promise<SidecarTelemetry> {
  const metrics = flags.metrics.map((name) => {
    const found = DIALECTS.find((dialect) => dialect === name);
    if (found === undefined)
      throw new FlagError(`--metrics ${JSON.stringify(name)} is none of ${DIALECTS.join(', ')}`);
    return found;
  });
  const endpoint = flags['otlp-endpoint'];
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
    throw new FlagError(
      `--otlp-endpoint ${JSON.stringify(endpoint)} is no http URL`,
      'e.g. --otlp-endpoint http://127.0.0.1:4318',
    );
  const ratio = flags['trace-ratio'];
  if (ratio !== undefined && !(Number(ratio) >= 0 && Number(ratio) <= 1))
    throw new FlagError(`--trace-ratio ${JSON.stringify(ratio)} is no share, 0 to 1`);
  const otlp = endpoint !== undefined || (env !== undefined && (await namesCollector(env)));
  if (ratio !== undefined && !otlp)
    throw new FlagError(
      '--trace-ratio needs a collector',
      `give --otlp-endpoint${env === undefined ? '' : ' or OTEL_EXPORTER_OTLP_ENDPOINT'}`,
    );
  const format = await formatOf(flags['access-log-format']);
  return {
    ...(format === undefined ? {} : { accessLogFormat: format }),
    ...(metrics.length === 0 ? {} : { metricsDialects: metrics }),
    ...(otlp
      ? {
          otlp: {
            ...(env === undefined ? {} : { environment: true }),
            ...(endpoint === undefined ? {} : { endpoint }),
            ...(ratio === undefined ? {} : { traces: { sampleRatio: Number(ratio) } }),
          },
        }
      : {}),
  };
}

/** Loaded where one is named: the process that reads flags writes no access log. */
async function formatOf(name: string | undefined): Promise<SidecarTelemetry['accessLogFormat']> {
  if (name === undefined || name === 'tulle') return undefined;
  const { namedFormat } = await import('@tulle/telemetry-access-log');
  return namedFormat(name);
}

async function namesCollector(env: Readonly<Record<string, string | undefined>>): Promise<boolean> {
  const { otlpConfigured } = await import('@tulle/telemetry-otlp');
  return otlpConfigured(env);
}
