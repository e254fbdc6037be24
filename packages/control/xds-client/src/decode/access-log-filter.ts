import { isMessage } from '@bufbuild/protobuf';
import type { AccessLogComparison, AccessLogFilter, AccessLogType } from '@tulle/model';
import {
  type AccessLogFilter as EnvoyFilter,
  type ComparisonFilter,
  ComparisonFilter_Op as Op,
  type GrpcStatusFilter_Status as GrpcStatus,
  type RuntimeFilter,
} from '@tulle/xds-proto/envoy/config/accesslog/v3/accesslog';
import { AccessLogType as EnvoyType } from '@tulle/xds-proto/envoy/data/accesslog/v3/accesslog';
import { ExpressionFilterSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/filters/cel/v3/cel';
import { FractionalPercent_DenominatorType as Denominator } from '@tulle/xds-proto/envoy/type/v3/percent';
import type { DecodeContext } from './context.ts';
import { decodeMetadataMatch } from './authz/expression.ts';
import { decodeHeaderMatch } from './matchers.ts';

/** As deep as the model has it. */
const MAX_DEPTH = 4;

export function decodeLogFilter(
  context: DecodeContext,
  filter: EnvoyFilter,
  path: string,
  depth: number = MAX_DEPTH,
): AccessLogFilter {
  const { filterSpecifier: chosen } = filter;
  switch (chosen.case) {
    case 'statusCodeFilter':
      return {
        kind: 'status',
        ...comparison(context, chosen.value.comparison, `${path}.status_code_filter`),
      };
    case 'durationFilter':
      return {
        kind: 'duration',
        ...comparison(context, chosen.value.comparison, `${path}.duration_filter`),
      };
    case 'notHealthCheckFilter':
      return { kind: 'not-health-check' };
    case 'traceableFilter':
      return { kind: 'traceable' };
    case 'runtimeFilter':
      return share(context, chosen.value, `${path}.runtime_filter`);
    case 'andFilter':
      return {
        kind: 'all',
        filters: list(context, chosen.value.filters, `${path}.and_filter.filters`, depth),
      };
    case 'orFilter':
      return {
        kind: 'any',
        filters: list(context, chosen.value.filters, `${path}.or_filter.filters`, depth),
      };
    case 'headerFilter': {
      const here = `${path}.header_filter.header`;
      if (chosen.value.header === undefined) {
        context.refuse(here, 'is missing');
        return ALL;
      }
      return { kind: 'header', header: decodeHeaderMatch(context, chosen.value.header, here) };
    }
    case 'responseFlagFilter':
      return { kind: 'flags', flags: [...chosen.value.flags] };
    case 'grpcStatusFilter':
      return {
        kind: 'grpc-status',
        statuses: chosen.value.statuses.map((status: GrpcStatus, index) => {
          if (status < 0 || status > 16)
            context.refuse(`${path}.grpc_status_filter.statuses[${index}]`, `${status} is no status of gRPC`);
          return status;
        }),
        ...(chosen.value.exclude && { exclude: true }),
      };
    case 'logTypeFilter':
      return {
        kind: 'log-type',
        types: chosen.value.types.flatMap((type, index): AccessLogType[] => {
          const name = TYPES.find((one) => EnvoyType[one] === type);
          if (name !== undefined) return [name];
          context.refuse(`${path}.log_type_filter.types[${index}]`, `${type} is no type of access log`);
          return [];
        }),
        ...(chosen.value.exclude && { exclude: true }),
      };
    case 'metadataFilter': {
      const { matcher, matchIfKeyNotFound } = chosen.value;
      const here = `${path}.metadata_filter.matcher`;
      if (matcher === undefined) {
        context.refuse(here, 'is missing');
        return ALL;
      }
      return {
        kind: 'metadata',
        metadata: decodeMetadataMatch(context, matcher, here),
        ...(matchIfKeyNotFound === false && { ifAbsent: false }),
      };
    }
    case 'extensionFilter': {
      const { configType } = chosen.value;
      const here = `${path}.extension_filter.typed_config`;
      const message = context.open(configType.case === 'typedConfig' ? configType.value : undefined, here);
      if (message === undefined) return ALL;
      if (isMessage(message, ExpressionFilterSchema)) return { kind: 'cel', cel: message.expression };
      context.refuse(
        here,
        `${message.$typeName} is no filter of access logs; there is ${ExpressionFilterSchema.typeName}`,
      );
      return ALL;
    }
    case undefined:
      context.refuse(path, 'names no condition');
      return ALL;
  }
}

/** Stands for what was refused. */
const ALL: AccessLogFilter = { kind: 'not-health-check' };

const TYPES: readonly AccessLogType[] = Object.keys(EnvoyType) as (keyof typeof EnvoyType)[];

function list(
  context: DecodeContext,
  filters: readonly EnvoyFilter[],
  path: string,
  depth: number,
): readonly AccessLogFilter[] {
  if (depth === 0) {
    context.refuse(path, `is nested deeper than ${MAX_DEPTH}`);
    return [];
  }
  if (filters.length < 2) context.refuse(path, 'must hold at least two');
  return filters.map((one, index) => decodeLogFilter(context, one, `${path}[${index}]`, depth - 1));
}

const OPS: ReadonlyMap<number, AccessLogComparison['op']> = new Map<number, AccessLogComparison['op']>([
  [Op.EQ, 'eq'],
  [Op.GE, 'ge'],
  [Op.LE, 'le'],
  [Op.NE, 'ne'],
]);

/** There is no runtime here that could change the default. */
function comparison(
  context: DecodeContext,
  given: ComparisonFilter | undefined,
  path: string,
): AccessLogComparison {
  const op = OPS.get(given?.op ?? Op.EQ);
  if (given === undefined) context.refuse(`${path}.comparison`, 'is missing');
  if (op === undefined) context.refuse(`${path}.comparison.op`, 'must be EQ, GE, LE or NE');
  return { op: op ?? 'eq', value: given?.value?.defaultValue ?? 0 };
}

const DENOMINATORS = {
  [Denominator.HUNDRED]: 100,
  [Denominator.TEN_THOUSAND]: 10_000,
  [Denominator.MILLION]: 1_000_000,
} as const;

function share(
  context: DecodeContext,
  { percentSampled, useIndependentRandomness }: RuntimeFilter,
  path: string,
): AccessLogFilter {
  const type = percentSampled?.denominator ?? Denominator.HUNDRED;
  const denominator = DENOMINATORS[type as keyof typeof DENOMINATORS] as 100 | undefined;
  if (denominator === undefined)
    context.refuse(`${path}.percent_sampled.denominator`, `${type} is no denominator`);
  return {
    kind: 'share',
    numerator: percentSampled?.numerator ?? 0,
    denominator: denominator ?? 100,
    ...(useIndependentRandomness && { independent: true }),
  };
}
