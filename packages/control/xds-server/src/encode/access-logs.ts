import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type {
  AccessLog,
  AccessLogComparison,
  AccessLogFilter,
  AccessLogFormat,
  AccessLogOutput,
  GrpcAccessLogOutput,
  OtlpAccessLogOutput,
} from '@tulle/model';
import {
  type AccessLogFilterSchema,
  type AccessLogSchema,
  type ComparisonFilterSchema,
  ComparisonFilter_Op as Op,
  type GrpcStatusFilter_Status as GrpcStatus,
} from '@tulle/xds-proto/envoy/config/accesslog/v3/accesslog';
import type { SubstitutionFormatStringSchema } from '@tulle/xds-proto/envoy/config/core/v3/substitution_format_string';
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/access_loggers/grpc/v3/als';
import { AccessLogType as EnvoyType } from '@tulle/xds-proto/envoy/data/accesslog/v3/accesslog';
import { ExpressionFilterSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/filters/cel/v3/cel';
import { FileAccessLogSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/file/v3/file';
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '@tulle/xds-proto/envoy/extensions/access_loggers/stream/v3/stream';
import { FractionalPercent_DenominatorType as Denominator } from '@tulle/xds-proto/envoy/type/v3/percent';
import { encodeMetadataMatch } from './metadata-match.ts';
import { encodeHeaderMatch } from './matchers.ts';
import { encodeCommon, encodeOtlpLog } from './otlp-log.ts';
import { encodeTag } from './tracing.ts';
import { canonicalObject, type Fields } from './values.ts';

type Log = Fields<typeof AccessLogSchema>;
type Filter = Fields<typeof AccessLogFilterSchema>;

export function encodeAccessLogs(logs: readonly AccessLog[] | undefined, handler: 'http' | 'tcp'): Log[] {
  return (logs ?? []).map((log) => ({
    name: log.name ?? '',
    ...(log.filter && { filter: encodeFilter(log.filter) }),
    configType: {
      case: 'typedConfig',
      value: 'format' in log ? encodeOutput(log.to, log.format) : encodeService(log.to, handler),
    },
  }));
}

function encodeService(to: GrpcAccessLogOutput | OtlpAccessLogOutput, handler: 'http' | 'tcp'): Any {
  if (to.kind === 'otlp') return encodeOtlpLog(to);
  const commonConfig = {
    ...encodeCommon(to),
    customTags: (to.customTags ?? []).map(encodeTag),
    filterStateObjectsToLog: [...(to.filterState ?? [])],
  };
  return handler === 'tcp'
    ? packed(TcpGrpcAccessLogConfigSchema, create(TcpGrpcAccessLogConfigSchema, { commonConfig }))
    : packed(
        HttpGrpcAccessLogConfigSchema,
        create(HttpGrpcAccessLogConfigSchema, {
          commonConfig,
          additionalRequestHeadersToLog: [...(to.requestHeaders ?? [])],
          additionalResponseHeadersToLog: [...(to.responseHeaders ?? [])],
        }),
      );
}

function encodeOutput(to: AccessLogOutput, format: AccessLogFormat): Any {
  const accessLogFormat = { case: 'logFormat', value: encodeFormat(format) } as const;
  switch (to.kind) {
    case 'file':
      return packed(FileAccessLogSchema, create(FileAccessLogSchema, { path: to.path, accessLogFormat }));
    case 'stdout':
      return packed(StdoutAccessLogSchema, create(StdoutAccessLogSchema, { accessLogFormat }));
    case 'stderr':
      return packed(StderrAccessLogSchema, create(StderrAccessLogSchema, { accessLogFormat }));
  }
}

function packed<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Any {
  return anyPack(schema, message);
}

function encodeFormat(format: AccessLogFormat): Fields<typeof SubstitutionFormatStringSchema> {
  return {
    format:
      'json' in format
        ? { case: 'jsonFormat', value: canonicalObject(format.json) }
        : {
            case: 'textFormatSource',
            // Envoy writes a text as it is: without its line end lines would run together.
            value: { specifier: { case: 'inlineString', value: format.text } },
          },
    omitEmptyValues: format.omitEmpty ?? false,
  };
}

/** Envoy wants a name for what could be changed while it runs. */
const RUNTIME_KEY = 'tulle.access_log';

const OPS = { eq: Op.EQ, ge: Op.GE, le: Op.LE, ne: Op.NE } as const;

function comparison({ op, value }: AccessLogComparison): Fields<typeof ComparisonFilterSchema> {
  return { op: OPS[op], value: { defaultValue: value, runtimeKey: RUNTIME_KEY } };
}

const DENOMINATORS = {
  100: Denominator.HUNDRED,
  10_000: Denominator.TEN_THOUSAND,
  1_000_000: Denominator.MILLION,
} as const;

function encodeFilter(filter: AccessLogFilter): Filter {
  switch (filter.kind) {
    case 'status':
      return {
        filterSpecifier: { case: 'statusCodeFilter', value: { comparison: comparison(filter) } },
      };
    case 'duration':
      return { filterSpecifier: { case: 'durationFilter', value: { comparison: comparison(filter) } } };
    case 'not-health-check':
      return { filterSpecifier: { case: 'notHealthCheckFilter', value: {} } };
    case 'traceable':
      return { filterSpecifier: { case: 'traceableFilter', value: {} } };
    case 'share':
      return {
        filterSpecifier: {
          case: 'runtimeFilter',
          value: {
            runtimeKey: RUNTIME_KEY,
            percentSampled: {
              numerator: filter.numerator,
              denominator: DENOMINATORS[filter.denominator],
            },
            useIndependentRandomness: filter.independent ?? false,
          },
        },
      };
    case 'all':
      return {
        filterSpecifier: { case: 'andFilter', value: { filters: filter.filters.map(encodeFilter) } },
      };
    case 'any':
      return {
        filterSpecifier: { case: 'orFilter', value: { filters: filter.filters.map(encodeFilter) } },
      };
    case 'header':
      return {
        filterSpecifier: { case: 'headerFilter', value: { header: encodeHeaderMatch(filter.header) } },
      };
    case 'flags':
      return { filterSpecifier: { case: 'responseFlagFilter', value: { flags: [...filter.flags] } } };
    case 'grpc-status':
      return {
        filterSpecifier: {
          case: 'grpcStatusFilter',
          value: { statuses: filter.statuses as GrpcStatus[], exclude: filter.exclude ?? false },
        },
      };
    case 'metadata':
      return {
        filterSpecifier: {
          case: 'metadataFilter',
          value: {
            matcher: encodeMetadataMatch(filter.metadata),
            ...(filter.ifAbsent === false && { matchIfKeyNotFound: false }),
          },
        },
      };
    case 'cel':
      return {
        filterSpecifier: {
          case: 'extensionFilter',
          value: {
            name: 'envoy.access_loggers.extension_filters.cel',
            configType: {
              case: 'typedConfig',
              value: packed(
                ExpressionFilterSchema,
                create(ExpressionFilterSchema, { expression: filter.cel }),
              ),
            },
          },
        },
      };
    case 'log-type':
      return {
        filterSpecifier: {
          case: 'logTypeFilter',
          value: {
            types: filter.types.map((type) => EnvoyType[type]),
            exclude: filter.exclude ?? false,
          },
        },
      };
  }
}
