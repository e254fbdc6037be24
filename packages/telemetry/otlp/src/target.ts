import { readFileSync } from 'node:fs';
import type { Environment } from './environment.ts';
import type { OtlpTarget } from './options.ts';

/** A signal's target with nothing left open. */
export interface ResolvedTarget {
  readonly url: string;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly compression: 'none' | 'gzip';
  /** PEM: authorities to believe, and who we are. */
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

const DEFAULT_ENDPOINT = 'http://localhost:4318';
const PROTOCOLS = ['http/protobuf', 'http/json'] as const;
/** Longest that an export may be given. */
const MAX_TIMEOUT_MS = 600_000;

/** Where a signal goes: options first, then its own variables, then those of all signals (OTLP exporter specification). */
export function resolveTarget(
  options: OtlpTarget,
  signal: 'TRACES' | 'METRICS',
  env: Environment,
): ResolvedTarget {
  const names = (what: string): readonly string[] => [
    `OTEL_EXPORTER_OTLP_${signal}_${what}`,
    `OTEL_EXPORTER_OTLP_${what}`,
  ];
  const path = `v1/${signal.toLowerCase()}`;
  const timeoutMs =
    options.timeoutMs ?? env.number(names('TIMEOUT'), 'milliseconds', 1, MAX_TIMEOUT_MS) ?? 10_000;
  if (!(timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS))
    env.refuse('timeoutMs', `${timeoutMs} is no number of milliseconds, 1 to ${MAX_TIMEOUT_MS}`);
  return {
    url: urlOf(options, signal, path, env),
    protocol: options.protocol ?? env.choice(names('PROTOCOL'), PROTOCOLS) ?? 'http/protobuf',
    headers: {
      ...env.pairs('OTEL_EXPORTER_OTLP_HEADERS'),
      ...env.pairs(`OTEL_EXPORTER_OTLP_${signal}_HEADERS`),
      ...options.headers,
    },
    timeoutMs,
    compression: options.compression ?? env.choice(names('COMPRESSION'), ['none', 'gzip']) ?? 'none',
    tls: {
      ...file('ca', names('CERTIFICATE'), env),
      ...file('cert', names('CLIENT_CERTIFICATE'), env),
      ...file('key', names('CLIENT_KEY'), env),
    },
  };
}

function file<Name extends string>(
  name: Name,
  variables: readonly string[],
  env: Environment,
): Partial<Record<Name, Buffer>> {
  const found = env.text(...variables);
  if (found === undefined) return {};
  try {
    return { [name]: readFileSync(found.value) } as Record<Name, Buffer>;
  } catch (error) {
    env.refuse(
      found.name,
      `cannot read ${found.value}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return {};
  }
}

function urlOf(options: OtlpTarget, signal: string, path: string, env: Environment): string {
  if (options.endpoint !== undefined) return appended(env.url('endpoint', options.endpoint), path);
  const whole = env.text(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`);
  if (whole !== undefined) return env.url(whole.name, whole.value) ?? '';
  const base = env.text('OTEL_EXPORTER_OTLP_ENDPOINT');
  return appended(base === undefined ? DEFAULT_ENDPOINT : env.url(base.name, base.value), path);
}

function appended(base: string | undefined, path: string): string {
  return base === undefined ? '' : `${base.replace(/\/$/, '')}/${path}`;
}
