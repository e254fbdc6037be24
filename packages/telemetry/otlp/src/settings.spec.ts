import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as conventions from '@opentelemetry/semantic-conventions';
import { isTulleError } from '@tulle/filter';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import * as ours from './attributes.ts';
import { Environment } from './environment.ts';
import { otlp, otlpConfigured, type OtlpOptions, type OtlpPlugin } from './index.ts';
import { resourceAttributes } from './resource.ts';
import { hrTime } from './span.ts';
import { resolveTarget } from './target.ts';
import { redactQuery, splitHostPort } from './url.ts';

const made: OtlpPlugin[] = [];
afterEach(async () => {
  for (const plugin of made.splice(0)) await plugin.sink.close();
});
const make = (options: OtlpOptions): OtlpPlugin => {
  const plugin = otlp(options);
  made.push(plugin);
  return plugin;
};

const issuesOf = (options: OtlpOptions): string[] => {
  try {
    make(options);
  } catch (error) {
    if (!isTulleError(error)) throw error;
    expect(error.code).toBe('TULLE_CONFIG_INVALID');
    for (const { path, message } of error.issues) expect(error.message).toContain(`${path}: ${message}`);
    return error.issues.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
};

const target = (
  env: Record<string, string>,
  options: OtlpOptions = {},
  signal: 'TRACES' | 'METRICS' = 'TRACES',
): ReturnType<typeof resolveTarget> => {
  const environment = new Environment(env);
  const resolved = resolveTarget(options, signal, environment);
  environment.check();
  return resolved;
};

describe('the target', () => {
  it('is the local collector by default, in protobuf', () => {
    expect(target({})).toEqual({
      url: 'http://localhost:4318/v1/traces',
      protocol: 'http/protobuf',
      headers: {},
      timeoutMs: 10_000,
      compression: 'none',
      tls: {},
    });
  });

  it('comes from the environment: the signal first, then all signals; a base gets the path, a signal’s is whole', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel.example/base/',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://metrics.example/in',
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b, x=1',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x=2',
      OTEL_EXPORTER_OTLP_TIMEOUT: '3000',
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '4000',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: '',
    };
    expect(target(env)).toMatchObject({
      url: 'https://otel.example/base/v1/traces',
      protocol: 'http/json',
      headers: { 'api-key': 'a b', x: '2' },
      timeoutMs: 4000,
      compression: 'gzip',
    });
    expect(target(env, {}, 'METRICS')).toMatchObject({
      url: 'http://metrics.example/in',
      headers: { 'api-key': 'a b', x: '1' },
      timeoutMs: 3000,
    });
  });

  it('is what the options say, whatever the environment does', () => {
    const env = {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://env.example/v1/traces',
      OTEL_EXPORTER_OTLP_HEADERS: 'x=1,y=1',
    };
    expect(
      target(env, {
        endpoint: 'http://127.0.0.1:1',
        headers: { x: '2' },
        protocol: 'http/json',
        timeoutMs: 5,
      }),
    ).toMatchObject({
      url: 'http://127.0.0.1:1/v1/traces',
      headers: { x: '2', y: '1' },
      protocol: 'http/json',
      timeoutMs: 5,
    });
  });

  it('is believed and identified by the certificates that the environment names', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'otlp-'));
    const file = join(dir, 'ca.pem');
    await writeFile(file, 'PEM');
    expect(
      target({ OTEL_EXPORTER_OTLP_CERTIFICATE: file, OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: file }).tls,
    ).toEqual({ ca: Buffer.from('PEM'), key: Buffer.from('PEM') });
    await rm(dir, { recursive: true });
  });
});

describe('wrong settings', () => {
  it('are all reported at once, each by the name of its variable or option, and nothing is started', () => {
    expect(
      issuesOf({
        timeoutMs: -1,
        traces: { sampleRatio: 2, maxBatchSpans: 0 },
        env: {
          OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4317',
          OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
          OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd',
          OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20secret,oops',
          OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere/ca.pem',
          OTEL_PROPAGATORS: 'tracecontext,jaeger',
          OTEL_TRACES_SAMPLER: 'always_on',
          OTEL_BSP_MAX_QUEUE_SIZE: 'many',
          OTEL_RESOURCE_ATTRIBUTES: 'a=%zz',
        },
      }),
    ).toEqual([
      'OTEL_RESOURCE_ATTRIBUTES: the value of "a" has a bad percent escape',
      'timeoutMs: -1 is no number of milliseconds, 1 to 600000',
      'OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4317" is not http:// or https://; OTLP over gRPC is not spoken here',
      'OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is none of http/protobuf, http/json',
      'OTEL_EXPORTER_OTLP_HEADERS: part 2 is not key=value',
      'OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" is none of none, gzip',
      expect.stringMatching(
        /^OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read \/nowhere\/ca\.pem: ENOENT/,
      ) as unknown,
      'traces.sampleRatio: 2 is no share; give 0 (none) to 1 (all)',
      'OTEL_PROPAGATORS: "jaeger" is none of tracecontext, baggage, b3, b3multi, none',
      'OTEL_BSP_MAX_QUEUE_SIZE: "many" is no number of spans, 1 to 1000000000',
      'traces.maxBatchSpans: 0 must be at least 1',
    ]);
    expect(issuesOf({ env: { OTEL_TRACES_SAMPLER: 'always_on' } })).toEqual([
      'OTEL_TRACES_SAMPLER: "always_on" is none of parentbased_traceidratio, parentbased_always_on, parentbased_always_off',
    ]);
  });
});

describe('tracing', () => {
  it('samples 1 % and respects callers by default', () => {
    expect(make({ env: {} }).tracing).toEqual({
      sampleRatio: 0.01,
      respectParent: true,
      extract: ['w3c', 'b3'],
      inject: ['w3c'],
    });
  });

  it.each([
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_on' }, { sampleRatio: 1 }],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, { sampleRatio: 0 }],
    [
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' },
      { sampleRatio: 0.5 },
    ],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' }, { sampleRatio: 1 }],
    [
      { OTEL_PROPAGATORS: 'b3multi, tracecontext ,baggage' },
      { extract: ['b3', 'w3c'], inject: ['b3multi', 'w3c'] },
    ],
    [{ OTEL_PROPAGATORS: 'b3,b3multi' }, { extract: ['b3'], inject: ['b3', 'b3multi'] }],
    [{ OTEL_PROPAGATORS: 'none' }, { extract: [], inject: [] }],
  ])('follows the environment: %o', (env, expected) => {
    expect(make({ env }).tracing).toMatchObject(expected);
  });

  it('is left out where traces are not wanted', () => {
    for (const options of [
      { traces: false as const, env: {} },
      { env: { OTEL_TRACES_EXPORTER: 'none' } },
      { env: { OTEL_SDK_DISABLED: 'true' } },
    ]) {
      const plugin = make(options);
      expect(plugin.tracing).toBeUndefined();
      expect(plugin.spans).toBeUndefined();
    }
  });
});

it('knows whether the environment names a collector', () => {
  expect(
    [
      {},
      { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://h:4318' },
      { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://h:4318/in' },
      { OTEL_SERVICE_NAME: 'web' },
    ].map((env) => otlpConfigured(env)),
  ).toEqual([false, false, true, true, false]);
});

it('names its resource: options, then the environment, then what the proxy knows of itself', () => {
  const of = (options: OtlpOptions, env: Record<string, string> = {}): Record<string, string> =>
    resourceAttributes(options, new Environment(env));
  expect(of({})['service.name']).toBe('unknown_service:tulle');
  expect(of({ self: { workload: 'web-v1', app: 'web', namespace: 'shop' } })['service.name']).toBe(
    'web.shop',
  );
  expect(
    of(
      { self: { workload: 'web', version: 'v1' }, resource: { 'deployment.environment.name': 'test' } },
      { OTEL_SERVICE_NAME: 'other', OTEL_RESOURCE_ATTRIBUTES: 'service.name=lost,host.name=a%2Cb' },
    ),
  ).toMatchObject({
    'service.name': 'other',
    'service.version': 'v1',
    'host.name': 'a,b',
    'deployment.environment.name': 'test',
  });
});

it('names attributes as the semantic conventions do', () => {
  const theirs = conventions as unknown as Record<string, unknown>;
  const names = Object.entries(ours).filter(([, value]) => typeof value === 'string');
  expect(names.length).toBeGreaterThan(20);
  for (const [name, value] of names) expect([name, theirs[`ATTR_${name}`]]).toEqual([name, value]);
});

it('keeps nanoseconds within a second, whatever the time', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 4e12, noNaN: true }), (ms) => {
      const [seconds, nanoseconds] = hrTime(ms);
      expect(Number.isInteger(seconds) && Number.isInteger(nanoseconds)).toBe(true);
      expect(nanoseconds).toBeGreaterThanOrEqual(0);
      expect(nanoseconds).toBeLessThan(1e9);
      expect(Math.abs(seconds * 1000 + nanoseconds / 1e6 - ms)).toBeLessThan(0.01);
    }),
  );
});

it('takes hosts and ports apart, and signatures out of queries', () => {
  expect(
    ['h', 'h:80', '[::1]:8080', '[::1]', '::1', 'h:', 'h:x', ''].map((text) => splitHostPort(text)),
  ).toEqual([
    { host: 'h', port: -1 },
    { host: 'h', port: 80 },
    { host: '::1', port: 8080 },
    { host: '::1', port: -1 },
    { host: '::1', port: -1 },
    { host: 'h:', port: -1 },
    { host: 'h:x', port: -1 },
    { host: '', port: -1 },
  ]);
  expect(redactQuery('a=1&sig=x&X-Goog-Signature=y&signature=z&Signature=')).toBe(
    'a=1&sig=REDACTED&X-Goog-Signature=REDACTED&signature=z&Signature=REDACTED',
  );
});
