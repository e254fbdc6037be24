import { isMessage, type JsonObject } from '@bufbuild/protobuf';
import type { LocalReplyJson } from '@tulle/model';
import type { SubstitutionFormatString } from '@tulle/xds-proto/envoy/config/core/v3/substitution_format_string';
import type { TypedExtensionConfig } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import { CelSchema } from '@tulle/xds-proto/envoy/extensions/formatter/cel/v3/cel';
import { MetadataSchema } from '@tulle/xds-proto/envoy/extensions/formatter/metadata/v3/metadata';
import { ReqWithoutQuerySchema } from '@tulle/xds-proto/envoy/extensions/formatter/req_without_query/v3/req_without_query';
import type { DecodeContext } from './context.ts';

/** Extensions whose operators are there in every format. */
const BUILT_IN = [ReqWithoutQuerySchema, MetadataSchema, CelSchema] as const;

/** Extensions of a format: they bring operators, and those that there are need none to bring them. @param path of the format */
export function checkFormatters(
  context: DecodeContext,
  formatters: readonly TypedExtensionConfig[],
  path: string,
): void {
  for (const [index, { typedConfig }] of formatters.entries()) {
    const here = `${path}.formatters[${index}].typed_config`;
    const message = context.open(typedConfig, here);
    if (message !== undefined && !BUILT_IN.some((schema) => isMessage(message, schema)))
      context.refuse(
        here,
        `${message.$typeName} brings no operators; there is ${BUILT_IN.map(({ typeName }) => typeName).join(', ')}`,
      );
  }
}

/** A format of text that stands where it is. @returns `''` where it was refused */
export function decodeTextFormat(
  context: DecodeContext,
  { formatters, format }: SubstitutionFormatString,
  path: string,
): string {
  checkFormatters(context, formatters, path);
  if (format.case === 'textFormat') return format.value;
  if (format.case === 'textFormatSource' && format.value.specifier.case === 'inlineString')
    return format.value.specifier.value;
  context.refuse(path, 'must have a text_format, or a text_format_source with an inline_string');
  return '';
}

/** A format that is an object: a Struct is in no order, and Envoy writes keys in that of their octets, at every depth. */
export function jsonFormatOf(struct: JsonObject): LocalReplyJson {
  return Object.fromEntries(
    Object.entries(struct)
      .toSorted(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
      .map(([key, value]) => [
        key,
        typeof value === 'object' && value !== null && !Array.isArray(value) ? jsonFormatOf(value) : value,
      ]),
  ) as LocalReplyJson;
}
