import fc from 'fast-check';
import type {
  AccessLog,
  AccessLogFilter,
  AccessLogFormat,
  AccessLogOutput,
  AuthzMetadataTest,
  AuthzValueTest,
  GrpcAccessLog,
  GrpcAccessLogOutput,
  LineAccessLog,
  OtlpAccessLog,
  OtlpAccessLogOutput,
  OtlpFormat,
  OtlpValue,
  ValueMatch,
} from '@tulle/model';
import { label, object, uint32 } from './basics.ts';
import { customTag, serviceHeaders } from './tracing.ts';

type Kind<Name extends AccessLogFilter['kind']> = Extract<AccessLogFilter, { readonly kind: Name }>;

const comparison = <Name extends 'status' | 'duration'>(kind: Name): fc.Arbitrary<Kind<Name>> =>
  object<Kind<Name>>({
    kind: fc.constant(kind),
    op: fc.constantFrom('eq', 'ne', 'ge', 'le'),
    value: uint32,
  });

const simple: fc.Arbitrary<AccessLogFilter> = fc.oneof(
  comparison('status'),
  comparison('duration'),
  fc.constant<AccessLogFilter>({ kind: 'not-health-check' }),
  fc.constant<AccessLogFilter>({ kind: 'traceable' }),
  fc.constantFrom<AccessLogFilter>(
    { kind: 'cel', cel: 'true' },
    { kind: 'cel', cel: 'response.code >= 400' },
  ),
  object<Kind<'share'>>(
    {
      kind: fc.constant('share'),
      numerator: uint32,
      denominator: fc.constantFrom(100, 10_000, 1_000_000),
    },
    { independent: fc.constant(true) },
  ),
  object<Kind<'header'>>({
    kind: fc.constant('header'),
    header: object<ValueMatch>(
      {
        name: label,
        match: fc.oneof(
          object({
            kind: fc.constantFrom('exact', 'prefix', 'suffix', 'contains', 'regex'),
            value: label,
          }),
          fc.constant({ kind: 'present' }),
        ),
      },
      { invert: fc.constant(true) },
    ),
  }),
  object<Kind<'flags'>>({
    kind: fc.constant('flags'),
    flags: fc.array(fc.constantFrom('UH', 'NR', 'UF'), { maxLength: 2 }),
  }),
  object<Kind<'grpc-status'>>(
    {
      kind: fc.constant('grpc-status'),
      statuses: fc.array(fc.integer({ min: 0, max: 16 }), { maxLength: 3 }),
    },
    { exclude: fc.constant(true) },
  ),
  object<Kind<'metadata'>>(
    {
      kind: fc.constant('metadata'),
      metadata: object<AuthzMetadataTest>(
        {
          namespace: label,
          path: fc.array(label, { minLength: 1, maxLength: 2 }),
          value: fc.oneof<fc.Arbitrary<AuthzValueTest>[]>(
            fc.constant({ text: { kind: 'exact', value: 'a' } }),
            fc.constant({ number: { first: 1, last: 2.5 } }),
            fc.constant({ number: { exact: 3 } }),
            fc.constant({ truth: true }),
            fc.constant({ nothing: true }),
            fc.constant({ element: { anyOf: [{ present: true }, { truth: false }] } }),
          ),
        },
        { invert: fc.constant(true) },
      ),
    },
    { ifAbsent: fc.constant(false) },
  ),
  object<Kind<'log-type'>>(
    {
      kind: fc.constant('log-type'),
      types: fc.array(fc.constantFrom('NotSet', 'DownstreamEnd', 'TcpConnectionEnd', 'UdpSessionEnd'), {
        maxLength: 2,
      }),
    },
    { exclude: fc.constant(true) },
  ),
);

const filter: fc.Arbitrary<AccessLogFilter> = fc.oneof(
  simple,
  object<Kind<'all' | 'any'>>({
    kind: fc.constantFrom('all', 'any'),
    filters: fc.array(simple, { minLength: 2, maxLength: 3 }),
  }),
);

const omitEmpty: fc.Arbitrary<boolean> = fc.constant(true);
const format: fc.Arbitrary<AccessLogFormat> = fc.oneof(
  object<AccessLogFormat>({ text: label }, { omitEmpty }),
  object<AccessLogFormat>(
    {
      json: fc.dictionary(
        label,
        fc.oneof(label, fc.dictionary(label, label, { maxKeys: 2, noNullPrototype: true })),
        { maxKeys: 2, noNullPrototype: true },
      ),
    },
    { omitEmpty },
  ),
);

const to: fc.Arbitrary<AccessLogOutput> = fc.oneof(
  object<AccessLogOutput>({ kind: fc.constant('file'), path: label.map((name) => `/var/log/${name}`) }),
  fc.constantFrom<AccessLogOutput>({ kind: 'stdout' }, { kind: 'stderr' }),
);

const names: fc.Arbitrary<string[]> = fc.array(label, { minLength: 1, maxLength: 2 });

/** A service's log; only handlers of HTTP have fields to tell. */
const grpc = (handler: 'http' | 'tcp'): fc.Arbitrary<GrpcAccessLogOutput> =>
  object<GrpcAccessLogOutput>(
    { kind: fc.constant('grpc'), cluster: label, logName: label },
    {
      authority: label,
      flushIntervalMs: fc.integer({ min: 1, max: 60_000 }),
      bufferBytes: uint32,
      timeoutMs: fc.integer({ min: 1, max: 60_000 }),
      customTags: fc.array(customTag, { minLength: 1, maxLength: 2 }),
      filterState: names,
      ...(handler === 'http' ? { requestHeaders: names, responseHeaders: names } : {}),
    },
  );

const record = <Value>(values: fc.Arbitrary<Value>): fc.Arbitrary<Record<string, Value>> =>
  fc.dictionary(label, values, { minKeys: 1, maxKeys: 2, noNullPrototype: true });

const otlpFormat: fc.Arbitrary<OtlpFormat> = fc.oneof(
  label,
  fc.array(label, { maxLength: 2 }),
  record<OtlpFormat>(fc.oneof(label, record(label))),
);
const plain: fc.Arbitrary<OtlpValue> = fc.oneof(
  label,
  fc.boolean(),
  fc.integer(),
  fc.integer().map((whole) => whole + 0.5),
);
const otlpValue: fc.Arbitrary<OtlpValue> = fc.oneof(plain, fc.array(plain, { maxLength: 2 }), record(plain));

const otlpShared = {
  flushIntervalMs: fc.integer({ min: 1, max: 60_000 }),
  bufferBytes: uint32,
  body: otlpFormat,
  attributes: record(otlpFormat),
  filterState: names,
  customTags: fc.array(customTag, { minLength: 1, maxLength: 2 }),
  resource: record(otlpValue),
  environment: fc.constant(true),
  builtinLabels: fc.constant(false),
  statPrefix: label,
};
const otlpNames = {
  kind: fc.constant('otlp' as const),
  cluster: label,
  logName: fc.oneof(label, fc.constant('')),
};
const timeoutMs = fc.integer({ min: 1, max: 60_000 });

const otlp: fc.Arbitrary<OtlpAccessLogOutput> = fc.oneof(
  object<OtlpAccessLogOutput>(otlpNames, { authority: label, timeoutMs, ...otlpShared }),
  object<OtlpAccessLogOutput>(
    {
      ...otlpNames,
      http: object<NonNullable<OtlpAccessLogOutput['http']>>(
        { url: label.map((host) => `http://${host}/v1/logs`) },
        { headers: serviceHeaders },
      ),
      timeoutMs,
    },
    otlpShared,
  ),
);

/** Access logs of a handler. */
export const accessLogs = (handler: 'http' | 'tcp'): fc.Arbitrary<readonly AccessLog[]> =>
  fc.array(
    fc.oneof(
      object<LineAccessLog>({ to, format }, { name: label, filter }),
      object<GrpcAccessLog>({ to: grpc(handler) }, { name: label, filter }),
      object<OtlpAccessLog>({ to: otlp }, { name: label, filter }),
    ),
    { minLength: 1, maxLength: 2 },
  );
