import type { TracingSettings } from '@tulle/telemetry';
import type { Environment } from './environment.ts';
import type { OtlpTraceOptions } from './options.ts';

/** Decision D18. */
const DEFAULT_RATIO = 0.01;

const PROPAGATORS = ['tracecontext', 'baggage', 'b3', 'b3multi', 'none'] as const;
const INJECT = { tracecontext: 'w3c', b3: 'b3', b3multi: 'b3multi' } as const;

/** What the engine is to do about traces: options first, then `OTEL_TRACES_SAMPLER…` and `OTEL_PROPAGATORS`. */
export function tracingSettings(options: OtlpTraceOptions, env: Environment): TracingSettings {
  const sampleRatio = options.sampleRatio ?? ratioOf(env) ?? DEFAULT_RATIO;
  if (!(sampleRatio >= 0 && sampleRatio <= 1))
    env.refuse('traces.sampleRatio', `${sampleRatio} is no share; give 0 (none) to 1 (all)`);
  // Baggage passes whatever is configured: the proxy only carries it.
  const propagators = env.list('OTEL_PROPAGATORS', PROPAGATORS);
  const formats = propagators?.flatMap((name) =>
    name in INJECT ? [INJECT[name as keyof typeof INJECT]] : [],
  );
  return {
    sampleRatio,
    respectParent: options.respectParent ?? true,
    extract:
      options.extract ??
      (formats === undefined
        ? ['w3c', 'b3']
        : [...new Set(formats.map((format) => (format === 'w3c' ? 'w3c' : 'b3')))]),
    inject: options.inject ?? formats ?? ['w3c'],
  };
}

function ratioOf(env: Environment): number | undefined {
  const sampler = env.choice(
    ['OTEL_TRACES_SAMPLER'],
    ['parentbased_traceidratio', 'parentbased_always_on', 'parentbased_always_off'],
  );
  if (sampler === 'parentbased_always_on') return 1;
  if (sampler === 'parentbased_always_off') return 0;
  return sampler === undefined ? undefined : (env.number(['OTEL_TRACES_SAMPLER_ARG'], 'shares', 0, 1) ?? 1);
}
