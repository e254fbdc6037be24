import { metadataTestSchema } from '../filters/authz-expression.ts';
import type { JsonSchema } from '../filters/json-schema.ts';
import { fields, flag, listOf, milliseconds, name, names, oneOf, text, whole } from './parts.ts';
import { valueMatchSchema } from './route.ts';
import { customTagSchema, headerValues } from './tracing.ts';

const comparison = (kind: string): JsonSchema =>
  fields(['kind', 'op', 'value'], {
    kind: { const: kind },
    op: oneOf('eq', 'ne', 'ge', 'le'),
    value: whole(0, 4_294_967_295),
  });

/** Parts of a filter that are filters themselves, so deep at most: what a person can still read. */
const MAX_DEPTH = 4;

function filterOf(depth: number): JsonSchema {
  return {
    anyOf: [
      comparison('status'),
      comparison('duration'),
      fields(['kind'], { kind: { const: 'not-health-check' } }),
      fields(['kind'], { kind: { const: 'traceable' } }),
      fields(['kind', 'numerator', 'denominator'], {
        kind: { const: 'share' },
        numerator: whole(0, 4_294_967_295),
        denominator: { enum: [100, 10_000, 1_000_000] },
        independent: flag,
      }),
      fields(['kind', 'header'], { kind: { const: 'header' }, header: valueMatchSchema }),
      fields(['kind', 'flags'], { kind: { const: 'flags' }, flags: names }),
      fields(['kind', 'statuses'], {
        kind: { const: 'grpc-status' },
        statuses: listOf(whole(0, 16)),
        exclude: flag,
      }),
      fields(['kind', 'metadata'], {
        kind: { const: 'metadata' },
        metadata: metadataTestSchema(MAX_DEPTH),
        ifAbsent: flag,
      }),
      fields(['kind', 'cel'], { kind: { const: 'cel' }, cel: text }),
      fields(['kind', 'types'], {
        kind: { const: 'log-type' },
        types: listOf(
          oneOf(
            'NotSet',
            'TcpConnectionStart',
            'TcpUpstreamConnected',
            'TcpPeriodic',
            'TcpConnectionEnd',
            'DownstreamStart',
            'DownstreamPeriodic',
            'DownstreamEnd',
            'UpstreamPoolReady',
            'UpstreamPeriodic',
            'UpstreamEnd',
            'DownstreamTunnelSuccessfullyEstablished',
            'UdpTunnelUpstreamConnected',
            'UdpPeriodic',
            'UdpSessionEnd',
          ),
        ),
        exclude: flag,
      }),
      ...(depth === 0
        ? []
        : ['all', 'any'].map((kind) =>
            fields(['kind', 'filters'], {
              kind: { const: kind },
              filters: { ...listOf(filterOf(depth - 1)), minItems: 2 },
            }),
          )),
    ],
  };
}

const format: JsonSchema = {
  anyOf: [
    fields(['text'], { text, omitEmpty: flag }),
    // Texts, or objects of texts: whoever compiles the format looks at them.
    fields(['json'], { json: { type: 'object' }, omitEmpty: flag }),
  ],
};

const filter: JsonSchema = filterOf(MAX_DEPTH);

/** Lists and objects hold the same again: whoever opens the log looks at them. */
const otlpFormat: JsonSchema = { anyOf: [text, { type: 'array' }, { type: 'object' }] };
const otlpValue: JsonSchema = {
  anyOf: [text, flag, { type: 'number' }, { type: 'array' }, { type: 'object' }],
};

/** JSON Schema of a list of `AccessLog`. */
export const accessLogsSchema: JsonSchema = listOf({
  anyOf: [
    fields(['to', 'format'], {
      name,
      filter,
      to: {
        anyOf: [
          fields(['kind', 'path'], { kind: { const: 'file' }, path: name }),
          fields(['kind'], { kind: { const: 'stdout' } }),
          fields(['kind'], { kind: { const: 'stderr' } }),
        ],
      },
      format,
    }),
    fields(['to'], {
      name,
      filter,
      to: fields(['kind', 'cluster', 'logName'], {
        kind: { const: 'otlp' },
        cluster: name,
        authority: name,
        http: fields(['url'], { url: name, headers: fields([], { set: headerValues, add: headerValues }) }),
        logName: text,
        body: otlpFormat,
        attributes: { type: 'object', additionalProperties: otlpFormat },
        filterState: names,
        customTags: listOf(customTagSchema),
        resource: { type: 'object', additionalProperties: otlpValue },
        environment: flag,
        builtinLabels: flag,
        statPrefix: name,
        flushIntervalMs: milliseconds(1),
        bufferBytes: whole(0, 4_294_967_295),
        timeoutMs: milliseconds(1),
      }),
    }),
    fields(['to'], {
      name,
      filter,
      to: fields(['kind', 'cluster', 'logName'], {
        kind: { const: 'grpc' },
        cluster: name,
        authority: name,
        logName: name,
        flushIntervalMs: milliseconds(1),
        bufferBytes: whole(0, 4_294_967_295),
        timeoutMs: milliseconds(1),
        requestHeaders: names,
        responseHeaders: names,
        customTags: listOf(customTagSchema),
        filterState: names,
      }),
    }),
  ],
});
