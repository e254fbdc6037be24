import fc from 'fast-check';
import type {
  CustomTag,
  HandlerTracing,
  HeaderEdits,
  OtlpTraceProvider,
  TraceProvider,
  TraceSampler,
  ZipkinTraceProvider,
} from '@tulle/model';
import { headerEdits, label, object, options } from './basics.ts';

const percent: fc.Arbitrary<number> = fc.integer({ min: 0, max: 100 });
const yes: fc.Arbitrary<true> = fc.constant(true as const);
const timeoutMs: fc.Arbitrary<number> = fc.integer({ min: 1, max: 60_000 });
const resource: fc.Arbitrary<Record<string, string>> = fc.dictionary(label, label, {
  minKeys: 1,
  maxKeys: 2,
  noNullPrototype: true,
});
const shared = {
  serviceName: label,
  resource,
  environment: yes,
  sampler: fc.oneof(fc.constant('always' as const), object<TraceSampler>({ percent }, { parentBased: yes })),
};

/** What exports over HTTP have. */
export const serviceHeaders: fc.Arbitrary<Pick<HeaderEdits, 'set' | 'add'>> = headerEdits
  .map(({ set, add }) => ({
    ...(set === undefined || set.length === 0 ? {} : { set }),
    ...(add === undefined || add.length === 0 ? {} : { add }),
  }))
  .filter((edits) => Object.keys(edits).length > 0);

const provider: fc.Arbitrary<TraceProvider> = fc.oneof(
  object<OtlpTraceProvider>(
    {
      kind: fc.constant('otlp'),
      service: object({ grpc: object({ cluster: label }, { authority: label }) }),
    },
    { timeoutMs, ...shared },
  ),
  object<OtlpTraceProvider>(
    {
      kind: fc.constant('otlp'),
      service: object({
        http: object(
          { url: label.map((host) => `http://${host}/v1/traces`), cluster: label },
          { headers: serviceHeaders },
        ),
      }),
      timeoutMs,
    },
    shared,
  ),
  object<ZipkinTraceProvider>(
    { kind: fc.constant('zipkin'), cluster: label, path: label.map((name) => `/${name}`) },
    { hostname: label, longTraceIds: yes, sharedSpan: fc.constant(false) },
  ),
);

/** A tag of spans and log entries. */
export const customTag: fc.Arbitrary<CustomTag> = fc.oneof(
  object<CustomTag>({ name: label, kind: fc.constant('literal'), value: label }),
  object<CustomTag>({ name: label, kind: fc.constant('environment'), variable: label }, { byDefault: label }),
  object<CustomTag>(
    {
      name: label,
      kind: fc.constant('metadata'),
      namespace: label,
      path: fc.array(label, { minLength: 1, maxLength: 2 }),
    },
    { of: fc.constant('route'), byDefault: label },
  ),
  object<CustomTag>({ name: label, kind: fc.constant('header'), header: label }, { byDefault: label }),
);

/** Tracing of a handler. */
export const tracing: fc.Arbitrary<HandlerTracing> = fc
  .tuple(
    provider,
    options<Omit<HandlerTracing, 'provider'>>({
      randomSamplingPercent: percent,
      clientSamplingPercent: percent,
      overallSamplingPercent: percent,
      samplesAll: yes,
      operation: fc.constantFrom('%REQ(:METHOD)%', 'x'),
      upstreamOperation: label,
      customTags: fc.array(customTag, { minLength: 1, maxLength: 2 }),
      maxPathTagLength: fc.integer({ min: 1, max: 65_536 }),
      spawnUpstreamSpan: fc.constant(false),
      verbose: yes,
    }),
  )
  .map(([given, rest]) => ({ provider: given, ...rest }));
