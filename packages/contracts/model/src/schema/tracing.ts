import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, labels, listOf, milliseconds, name, oneOf, percent, text, whole } from './parts.ts';

/** Fields of exports over HTTP. */
export const headerValues: JsonSchema = listOf(fields(['name', 'value'], { name, value: text }));

const provider: JsonSchema = {
  anyOf: [
    fields(['kind', 'service'], {
      kind: { const: 'otlp' },
      service: {
        anyOf: [
          fields(['http'], {
            http: fields(['url', 'cluster'], {
              url: name,
              cluster: name,
              headers: fields([], { set: headerValues, add: headerValues }),
            }),
          }),
          fields(['grpc'], { grpc: fields(['cluster'], { cluster: name, authority: name }) }),
        ],
      },
      timeoutMs: milliseconds(1),
      serviceName: name,
      resource: labels,
      environment: flag,
      sampler: { anyOf: [oneOf('always'), fields(['percent'], { percent, parentBased: flag })] },
    }),
    fields(['kind', 'cluster', 'path'], {
      kind: { const: 'zipkin' },
      cluster: name,
      path: { type: 'string', pattern: '^/' },
      hostname: name,
      longTraceIds: flag,
      sharedSpan: flag,
    }),
  ],
};

/** JSON Schema of `CustomTag`. */
export const customTagSchema: JsonSchema = {
  anyOf: [
    fields(['name', 'kind', 'value'], { name, kind: { const: 'literal' }, value: name }),
    fields(['name', 'kind', 'variable'], {
      name,
      kind: { const: 'environment' },
      variable: name,
      byDefault: name,
    }),
    fields(['name', 'kind', 'header'], { name, kind: { const: 'header' }, header: name, byDefault: name }),
    fields(['name', 'kind', 'namespace', 'path'], {
      name,
      kind: { const: 'metadata' },
      of: oneOf('request', 'route'),
      namespace: name,
      path: { ...listOf(name), minItems: 1 },
      byDefault: name,
    }),
  ],
};

const shared = {
  randomSamplingPercent: percent,
  clientSamplingPercent: percent,
  overallSamplingPercent: percent,
  operation: name,
  upstreamOperation: name,
  customTags: listOf(customTagSchema),
};

/** JSON Schema of `HandlerTracing`. */
export const handlerTracingSchema: JsonSchema = fields([], {
  provider,
  ...shared,
  samplesAll: flag,
  maxPathTagLength: whole(1, 65_536),
  spawnUpstreamSpan: flag,
  verbose: flag,
});

/** JSON Schema of `RouteTracing`. */
export const routeTracingSchema: JsonSchema = fields([], shared);

/** JSON Schema of `RouteDecorator`. */
export const routeDecoratorSchema: JsonSchema = fields(['operation'], { operation: name, propagate: flag });
