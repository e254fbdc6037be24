import type { LocalReplies, LocalReplyFormat, LocalReplyMapper } from '@tulle/model';
import {
  type AccessLogFilterSchema,
  ComparisonFilter_Op as Op,
} from '@tulle/xds-proto/envoy/config/accesslog/v3/accesslog';
import type { SubstitutionFormatStringSchema } from '@tulle/xds-proto/envoy/config/core/v3/substitution_format_string';
import type {
  LocalReplyConfigSchema,
  ResponseMapperSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { encodeToAdd } from './header-edits.ts';
import { canonicalObject, type Fields } from './values.ts';

export function encodeLocalReplies({
  mappers = [],
  format,
}: LocalReplies): Fields<typeof LocalReplyConfigSchema> {
  return { mappers: mappers.map(encodeMapper), ...(format && { bodyFormat: encodeFormat(format) }) };
}

function encodeMapper(mapper: LocalReplyMapper): Fields<typeof ResponseMapperSchema> {
  const { match, status, body, format, headers } = mapper;
  return {
    filter: encodeMatch(match),
    ...(status !== undefined && { statusCode: status }),
    ...(body !== undefined && { body: inline(body) }),
    ...(format && { bodyFormatOverride: encodeFormat(format) }),
    headersToAdd: encodeToAdd(headers),
  };
}

type Filter = NonNullable<Fields<typeof AccessLogFilterSchema>>;

function encodeMatch({ minStatus, maxStatus, flags }: LocalReplyMapper['match']): Filter {
  const same = minStatus !== undefined && minStatus === maxStatus;
  const filters: Filter[] = [
    ...(same ? [status(Op.EQ, minStatus)] : []),
    ...(!same && minStatus !== undefined ? [status(Op.GE, minStatus)] : []),
    ...(!same && maxStatus !== undefined ? [status(Op.LE, maxStatus)] : []),
    ...(flags === undefined ? [] : [flagged(flags)]),
  ];
  const [only, ...more] = filters;
  if (only !== undefined && more.length === 0) return only;
  return { filterSpecifier: { case: 'andFilter', value: { filters } } };
}

function flagged(flags: readonly string[]): Filter {
  return { filterSpecifier: { case: 'responseFlagFilter', value: { flags: [...flags] } } };
}

function status(op: Op, value: number): Filter {
  return {
    filterSpecifier: {
      case: 'statusCodeFilter',
      // Envoy wants a name for what could be changed while it runs.
      value: { comparison: { op, value: { defaultValue: value, runtimeKey: 'tulle.local_reply.status' } } },
    },
  };
}

export function encodeFormat(format: LocalReplyFormat): Fields<typeof SubstitutionFormatStringSchema> {
  return {
    format:
      'json' in format
        ? { case: 'jsonFormat', value: canonicalObject(format.json) }
        : { case: 'textFormatSource', value: inline(format.text) },
    contentType: format.contentType ?? '',
    omitEmptyValues: format.omitEmpty ?? false,
  };
}

function inline(value: string): { specifier: { case: 'inlineString'; value: string } } {
  return { specifier: { case: 'inlineString', value } };
}
