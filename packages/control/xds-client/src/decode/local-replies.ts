import type { LocalReplies, LocalReplyFormat, LocalReplyMapper } from '@tulle/model';
import {
  type AccessLogFilter,
  ComparisonFilter_Op as Op,
} from '@tulle/xds-proto/envoy/config/accesslog/v3/accesslog';
import type { DataSource } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { SubstitutionFormatString } from '@tulle/xds-proto/envoy/config/core/v3/substitution_format_string';
import type {
  LocalReplyConfig,
  ResponseMapper,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import type { DecodeContext } from './context.ts';
import { decodeHeaderEdits } from './header-edits.ts';
import { checkFormatters, jsonFormatOf } from './formatters.ts';
import { filled, present } from './values.ts';

export function decodeLocalReplies(
  context: DecodeContext,
  config: LocalReplyConfig | undefined,
  path: string,
): LocalReplies | undefined {
  if (config === undefined) return undefined;
  const at = `${path}.local_reply_config`;
  return present({
    mappers: filled(
      config.mappers.map((mapper, index) => decodeMapper(context, mapper, `${at}.mappers[${index}]`)),
    ),
    format: decodeFormat(context, config.bodyFormat, `${at}.body_format`),
  });
}

function decodeMapper(context: DecodeContext, mapper: ResponseMapper, path: string): LocalReplyMapper {
  const match: Match = {};
  if (mapper.filter === undefined) context.refuse(`${path}.filter`, 'is missing');
  else readFilter(context, mapper.filter, match, `${path}.filter`);
  return present({
    match: present(match) as LocalReplyMapper['match'],
    status: mapper.statusCode,
    body: decodeText(context, mapper.body, `${path}.body`),
    format: decodeFormat(context, mapper.bodyFormatOverride, `${path}.body_format_override`),
    headers: decodeHeaderEdits(context, mapper.headersToAdd, [], `${path}.headers_to_add`),
  });
}

interface Match {
  minStatus?: number;
  maxStatus?: number;
  flags?: string[];
}

/** Conditions on status and flags, and all of several: what has no other place in the model is refused. */
function readFilter(context: DecodeContext, filter: AccessLogFilter, match: Match, path: string): void {
  const { filterSpecifier: chosen } = filter;
  switch (chosen.case) {
    case 'andFilter':
      for (const [index, part] of chosen.value.filters.entries())
        readFilter(context, part, match, `${path}.and_filter.filters[${index}]`);
      return;
    case 'responseFlagFilter':
      if (match.flags !== undefined) context.refuse(`${path}.response_flag_filter`, 'stands twice');
      match.flags = [...chosen.value.flags];
      return;
    case 'statusCodeFilter': {
      const { comparison } = chosen.value;
      const status = comparison?.value?.defaultValue ?? 0;
      const op = comparison?.op;
      if (op !== Op.EQ && op !== Op.GE && op !== Op.LE)
        context.refuse(`${path}.status_code_filter.comparison.op`, 'must be EQ, GE or LE');
      if (op !== Op.LE) match.minStatus = Math.max(match.minStatus ?? 0, status);
      if (op !== Op.GE) match.maxStatus = Math.min(match.maxStatus ?? 999, status);
      return;
    }
    default:
      context.refuse(path, 'must be a status_code_filter, a response_flag_filter, or an and_filter of them');
  }
}

export function decodeFormat(
  context: DecodeContext,
  format: SubstitutionFormatString | undefined,
  path: string,
): LocalReplyFormat | undefined {
  if (format === undefined) return undefined;
  checkFormatters(context, format.formatters, path);
  const contentType = format.contentType === '' ? undefined : format.contentType;
  const omitEmpty = format.omitEmptyValues ? true : undefined;
  const { format: chosen } = format;
  switch (chosen.case) {
    case 'textFormat':
      return present({ text: chosen.value, contentType, omitEmpty });
    case 'textFormatSource':
      return present({
        text: decodeText(context, chosen.value, `${path}.text_format_source`) ?? '',
        contentType,
        omitEmpty,
      });
    case 'jsonFormat':
      return present({ json: jsonFormatOf(chosen.value), contentType, omitEmpty });
    default:
      context.refuse(path, 'must be a text_format_source or a json_format');
      return undefined;
  }
}

function decodeText(
  context: DecodeContext,
  source: DataSource | undefined,
  path: string,
): string | undefined {
  if (source === undefined) return undefined;
  if (source.specifier.case === 'inlineString') return source.specifier.value;
  context.refuse(path, 'must be an inline_string');
  return undefined;
}
