import { create, createRegistry, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { anyPack, StringValueSchema } from '@bufbuild/protobuf/wkt';
import { AccessLogSchema } from '@tulle/xds-proto/envoy/config/accesslog/v3/accesslog';
import { ExpressionFilterSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/filters/cel/v3/cel';
import { FileAccessLogSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/file/v3/file';
import { HttpGrpcAccessLogConfigSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/grpc/v3/als';
import { registry as everything } from '@tulle/xds-proto/registry';
import { OpenTelemetryAccessLogConfigSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/open_telemetry/v3/logs_service';
import { StdoutAccessLogSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/stream/v3/stream';
import { CelSchema } from '@tulle/xds-proto/envoy/extensions/formatter/cel/v3/cel';
import { MetadataSchema } from '@tulle/xds-proto/envoy/extensions/formatter/metadata/v3/metadata';
import { ReqWithoutQuerySchema } from '@tulle/xds-proto/envoy/extensions/formatter/req_without_query/v3/req_without_query';
import { describe, expect, it } from 'vitest';
import { decodeAccessLogs } from '../src/decode/access-logs.ts';
import { createDecodeContext } from '../src/decode/context.ts';

/** What another control plane's access log, in Envoy's JSON, is read as, and where it is refused. */
function read(file: JsonObject, filter?: JsonObject): { logs: unknown; refused: string[] } {
  const context = createDecodeContext({ tolerated: new Set(), allowUnknown: false });
  const log = fromJson(
    AccessLogSchema,
    { name: 'envoy.access_loggers.file', ...(filter && { filter }) },
    { registry },
  );
  log.configType = {
    case: 'typedConfig',
    value: anyPack(FileAccessLogSchema, fromJson(FileAccessLogSchema, file, { registry })),
  };
  context.check(AccessLogSchema, log, 'access_log[0]');
  return {
    logs: decodeAccessLogs(context, [log], 'access_log', 'http'),
    refused: [...new Set(context.issues.map(({ path }) => path))],
  };
}

const FORMATTER = 'type.googleapis.com/envoy.extensions.formatter';
const registry = createRegistry(
  StringValueSchema,
  ReqWithoutQuerySchema,
  MetadataSchema,
  CelSchema,
  ExpressionFilterSchema,
);

const file = { path: '/dev/stdout' };

describe('an access log of another control plane', () => {
  it("has Envoy's own format where it says none", () => {
    expect(read(file)).toEqual({
      logs: [
        {
          name: 'envoy.access_loggers.file',
          to: { kind: 'file', path: '/dev/stdout' },
          format: { text: expect.stringMatching(/^\[%START_TIME%\] .*"%UPSTREAM_HOST%"\n$/) as string },
        },
      ],
      refused: [],
    });
    const context = createDecodeContext({ tolerated: new Set(), allowUnknown: false });
    const stdout = create(AccessLogSchema, {
      configType: {
        case: 'typedConfig',
        value: anyPack(StdoutAccessLogSchema, create(StdoutAccessLogSchema)),
      },
    });
    expect(decodeAccessLogs(context, [stdout], 'access_log', 'http')).toMatchObject([
      { to: { kind: 'stdout' } },
    ]);
    expect(context.issues).toEqual([]);
  });

  it.each<[JsonObject, object]>([
    [{ logFormat: { textFormat: 'a' } }, { text: 'a' }],
    [
      { logFormat: { textFormatSource: { inlineString: 'a' }, omitEmptyValues: true } },
      { text: 'a', omitEmpty: true },
    ],
    [{ logFormat: { jsonFormat: { a: '%PROTOCOL%' } } }, { json: { a: '%PROTOCOL%' } }],
    [
      {
        logFormat: {
          textFormat: 'a',
          formatters: [
            { name: 'q', typedConfig: { '@type': `${FORMATTER}.req_without_query.v3.ReqWithoutQuery` } },
            { name: 'm', typedConfig: { '@type': `${FORMATTER}.metadata.v3.Metadata` } },
            { name: 'c', typedConfig: { '@type': `${FORMATTER}.cel.v3.Cel` } },
          ],
        },
      },
      { text: 'a' },
    ],
    [{ format: 'a' }, { text: 'a' }],
    [{ typedJsonFormat: { a: { b: 'c' } } }, { json: { a: { b: 'c' } } }],
    [{ jsonFormat: { a: { b: 'c' } } }, { json: { a: { b: 'c' } } }],
  ])('with the format %j has %j', (format, expected) => {
    expect(read({ ...file, ...format })).toMatchObject({ logs: [{ format: expected }], refused: [] });
  });

  it.each<[JsonObject, string]>([
    [{ path: '' }, 'access_log[0].typed_config.path'],
    [
      { logFormat: { textFormatSource: { filename: '/x' } } },
      'access_log[0].typed_config.log_format.text_format_source',
    ],
    [{ logFormat: {} }, 'access_log[0].typed_config.log_format'],
    [
      { logFormat: { textFormat: 'a', formatters: [{ name: 'x' }] } },
      'access_log[0].typed_config.log_format.formatters[0].typed_config',
    ],
    [
      {
        logFormat: {
          textFormat: 'a',
          formatters: [
            {
              name: 'cel',
              typedConfig: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'x' },
            },
          ],
        },
      },
      'access_log[0].typed_config.log_format.formatters[0].typed_config',
    ],
  ])('with %j is refused at %s', (given, path) => {
    expect(read({ ...file, ...given }).refused).toContain(path);
  });

  it.each<[JsonObject, object]>([
    [
      { statusCodeFilter: { comparison: { op: 'GE', value: { defaultValue: 400, runtimeKey: 'k' } } } },
      { kind: 'status', op: 'ge', value: 400 },
    ],
    [
      { durationFilter: { comparison: { op: 3, value: { defaultValue: 5, runtimeKey: 'k' } } } },
      { kind: 'duration', op: 'ne', value: 5 },
    ],
    [
      { runtimeFilter: { runtimeKey: 'k', percentSampled: { numerator: 5, denominator: 'TEN_THOUSAND' } } },
      { kind: 'share', numerator: 5, denominator: 10_000 },
    ],
    [
      {
        orFilter: {
          filters: [
            { responseFlagFilter: { flags: ['NR'] } },
            { grpcStatusFilter: { statuses: ['INTERNAL'] } },
          ],
        },
      },
      {
        kind: 'any',
        filters: [
          { kind: 'flags', flags: ['NR'] },
          { kind: 'grpc-status', statuses: [13] },
        ],
      },
    ],
    [
      { headerFilter: { header: { name: ':path', stringMatch: { prefix: '/a' } } } },
      { kind: 'header', header: { name: ':path', match: { kind: 'prefix', value: '/a' } } },
    ],
    [
      {
        metadataFilter: {
          matcher: { filter: 'a', path: [{ key: 'b' }], value: { boolMatch: true }, invert: true },
          matchIfKeyNotFound: false,
        },
      },
      {
        kind: 'metadata',
        metadata: { namespace: 'a', path: ['b'], value: { truth: true }, invert: true },
        ifAbsent: false,
      },
    ],
    [
      {
        extensionFilter: {
          name: 'cel',
          typedConfig: {
            '@type': 'type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
            expression: 'response.code >= 400',
          },
        },
      },
      { kind: 'cel', cel: 'response.code >= 400' },
    ],
    [
      { logTypeFilter: { types: ['DownstreamEnd'], exclude: true } },
      { kind: 'log-type', types: ['DownstreamEnd'], exclude: true },
    ],
  ])('with the filter %j has %j', (filter, expected) => {
    expect(read(file, filter)).toMatchObject({ logs: [{ filter: expected }], refused: [] });
  });

  it.each<[JsonObject, string]>([
    [{ metadataFilter: {} }, 'access_log[0].filter.metadata_filter.matcher'],
    [{ metadataFilter: { matcher: { filter: 'a' } } }, 'access_log[0].filter.metadata_filter.matcher.path'],
    [{ extensionFilter: { name: 'cel' } }, 'access_log[0].filter.extension_filter.typed_config'],
    [{}, 'access_log[0].filter'],
    [{ andFilter: { filters: [{ traceableFilter: {} }] } }, 'access_log[0].filter.and_filter.filters'],
    [{ grpcStatusFilter: { statuses: [17] } }, 'access_log[0].filter.grpc_status_filter.statuses[0]'],
    [{ statusCodeFilter: {} }, 'access_log[0].filter.status_code_filter.comparison'],
  ])('with the filter %j is refused at %s', (filter, path) => {
    expect(read(file, filter).refused).toContain(path);
  });

  it("of OpenTelemetry has Envoy's labels, and formats in lists and objects", () => {
    const otel = (config: JsonObject): { logs: unknown; refused: string[] } => {
      const context = createDecodeContext({ tolerated: new Set(), allowUnknown: false });
      const message = fromJson(OpenTelemetryAccessLogConfigSchema, config, { registry: everything });
      const log = create(AccessLogSchema, {
        configType: { case: 'typedConfig', value: anyPack(OpenTelemetryAccessLogConfigSchema, message) },
      });
      context.check(AccessLogSchema, log, 'access_log[0]');
      const logs = decodeAccessLogs(context, [log], 'access_log', 'http');
      return { logs, refused: [...new Set(context.issues.map(({ path }) => path))] };
    };
    const commonConfig = { logName: 'l', grpcService: { envoyGrpc: { clusterName: 'otel' } } };
    expect(
      otel({
        commonConfig,
        body: { stringValue: '%PROTOCOL%' },
        attributes: { values: [{ key: 'a', value: { stringValue: '%RESPONSE_CODE%' } }] },
      }),
    ).toEqual({
      logs: [
        {
          to: {
            kind: 'otlp',
            cluster: 'otel',
            logName: 'l',
            body: '%PROTOCOL%',
            attributes: { a: '%RESPONSE_CODE%' },
          },
        },
      ],
      refused: [],
    });
    // Envoy's logger does not look at it there.
    const asIstio = { ...commonConfig, filterStateObjectsToLog: ['wasm.upstream_peer'] };
    expect(otel({ commonConfig: asIstio })).toEqual({
      logs: [{ to: { kind: 'otlp', cluster: 'otel', logName: 'l' } }],
      refused: [],
    });
    // The logger's own fields, beside which older configurations have common_config.
    const { grpcService } = commonConfig;
    const own = {
      grpcService: { ...grpcService, timeout: '2s' },
      bufferFlushInterval: '3s',
      bufferSizeBytes: 5,
      filterStateObjectsToLog: ['tenant'],
      customTags: [{ tag: 'a', literal: { value: 'b' } }],
    };
    const read = {
      kind: 'otlp',
      cluster: 'otel',
      timeoutMs: 2_000,
      flushIntervalMs: 3_000,
      bufferBytes: 5,
      filterState: ['tenant'],
      customTags: [{ name: 'a', kind: 'literal', value: 'b' }],
    };
    expect(otel({ ...own, logName: 'own' })).toEqual({
      logs: [{ to: { ...read, logName: 'own' } }],
      refused: [],
    });
    expect(otel(own)).toEqual({ logs: [{ to: { ...read, logName: '' } }], refused: [] });
    expect(otel({ ...own, commonConfig: { logName: 'l', bufferSizeBytes: 7 } })).toEqual({
      logs: [{ to: { ...read, logName: 'l' } }],
      refused: [],
    });
    expect(otel({ ...own, commonConfig }).refused).toEqual(['access_log[0].typed_config.grpc_service']);
    expect(otel({ logName: 'l' }).refused).toEqual(['access_log[0].typed_config.grpc_service']);
    expect(otel({ commonConfig: { ...commonConfig, customTags: own.customTags } }).refused).toEqual([
      'access_log[0].typed_config.common_config.custom_tags',
    ]);
    const httpUri = { uri: 'http://logs.example/v1/logs', cluster: 'otel', timeout: '1s' };
    const detector = (type: string, more: JsonObject = {}): JsonObject => ({
      name: 'd',
      typedConfig: {
        '@type': `type.googleapis.com/envoy.extensions.tracers.opentelemetry.resource_detectors.v3.${type}`,
        ...more,
      },
    });
    expect(
      otel({
        httpService: { httpUri, requestHeadersToAdd: [{ header: { key: 'x-a', value: 'b' } }] },
        logName: 'l',
        statPrefix: 'all.',
        formatters: [
          {
            name: 'f',
            typedConfig: {
              '@type': 'type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery',
            },
          },
        ],
        body: { kvlistValue: { values: [{ key: 'p', value: { stringValue: '%PATH%' } }] } },
        attributes: {
          values: [{ key: 'l', value: { arrayValue: { values: [{ stringValue: '%PATH%' }] } } }],
        },
        resourceDetectors: [
          detector('StaticConfigResourceDetectorConfig', { attributes: { a: 'detected', b: 'too' } }),
          detector('EnvironmentResourceDetectorConfig'),
        ],
        resourceAttributes: {
          values: [
            { key: 'a', value: { intValue: '7' } },
            { key: 'd', value: { doubleValue: 0.5 } },
            { key: 'y', value: { boolValue: true } },
          ],
        },
      }),
    ).toEqual({
      logs: [
        {
          to: {
            kind: 'otlp',
            cluster: 'otel',
            http: { url: 'http://logs.example/v1/logs', headers: { add: [{ name: 'x-a', value: 'b' }] } },
            timeoutMs: 1_000,
            logName: 'l',
            statPrefix: 'all.',
            body: { p: '%PATH%' },
            attributes: { l: ['%PATH%'] },
            resource: { a: 7, b: 'too', d: 0.5, y: true },
            environment: true,
          },
        },
      ],
      refused: [],
    });
    expect(otel({ httpService: { httpUri }, grpcService, logName: 'l', body: {} }).refused).toEqual([
      'access_log[0].typed_config.http_service',
    ]);
    const twice = [1, 2].map(() => ({ key: 'a', value: { stringValue: 'x' } }));
    expect(
      otel({
        commonConfig,
        attributes: { values: twice },
        resourceAttributes: { values: [{ key: 'b', value: { bytesValue: 'AQ==' } }] },
      }).refused,
    ).toEqual([
      'access_log[0].typed_config.resource_attributes.values[0].value.bytes_value',
      'access_log[0].typed_config.resource_attributes.values[0].value',
      'access_log[0].typed_config.attributes.values[1].key',
    ]);
    expect(otel({ commonConfig, body: { intValue: 1 } }).refused).toContain(
      'access_log[0].typed_config.body',
    );
  });

  it('of a service has the filter state that it asks for', () => {
    const context = createDecodeContext({ tolerated: new Set(), allowUnknown: false });
    const message = fromJson(HttpGrpcAccessLogConfigSchema, {
      commonConfig: {
        logName: 'l',
        grpcService: { envoyGrpc: { clusterName: 'als' } },
        filterStateObjectsToLog: ['wasm.upstream_peer', '', 'tenant'],
      },
    });
    const log = create(AccessLogSchema, {
      configType: { case: 'typedConfig', value: anyPack(HttpGrpcAccessLogConfigSchema, message) },
    });
    context.check(AccessLogSchema, log, 'access_log[0]');
    expect(decodeAccessLogs(context, [log], 'access_log', 'http')).toEqual([
      {
        to: { kind: 'grpc', cluster: 'als', logName: 'l', filterState: ['wasm.upstream_peer', 'tenant'] },
      },
    ]);
    expect(context.issues).toEqual([]);
  });

  it('of a kind that this proxy has not is refused by its type', () => {
    const context = createDecodeContext({ tolerated: new Set(), allowUnknown: false });
    const log = create(AccessLogSchema, {
      configType: { case: 'typedConfig', value: anyPack(StringValueSchema, create(StringValueSchema)) },
    });
    decodeAccessLogs(context, [log], 'access_log', 'http');
    expect(context.issues).toEqual([
      { path: 'access_log[0].typed_config', message: expect.stringContaining('StringValue') as string },
    ]);
  });
});
