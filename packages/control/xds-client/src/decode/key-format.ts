import { isMessage } from '@bufbuild/protobuf';
import type { Http1ProtocolOptions } from '@tulle/xds-proto/envoy/config/core/v3/protocol';
import {
  PreserveCaseFormatterConfig_FormatterTypeOnEnvoyHeaders as FormatterType,
  PreserveCaseFormatterConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case';
import type { DecodeContext } from './context.ts';

/** Names go as they came: what an origin answers in capitals, its caller gets in capitals. */
export function checkKeyFormat(
  context: DecodeContext,
  http1: Http1ProtocolOptions | undefined,
  path: string,
): void {
  const format = http1?.headerKeyFormat?.headerFormat;
  if (format?.case === undefined) return;
  if (format.case === 'properCaseWords')
    return context.refuse(path, 'must be a PreserveCaseFormatterConfig: names go as they came');
  const here = `${path}.stateful_formatter.typed_config`;
  const message = context.open(format.value.typedConfig, here);
  if (message === undefined) return;
  if (!isMessage(message, PreserveCaseFormatterConfigSchema))
    context.refuse(here, `must be a PreserveCaseFormatterConfig, not ${message.$typeName}`);
  else if (message.formatterTypeOnEnvoyHeaders !== FormatterType.DEFAULT)
    context.refuse(
      `${here}.formatter_type_on_envoy_headers`,
      'must be DEFAULT: fields that this proxy adds are in lower case',
    );
}
