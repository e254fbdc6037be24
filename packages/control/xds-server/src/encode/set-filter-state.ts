import { create } from '@bufbuild/protobuf';
import type { FilterStateValue } from '@tulle/model';
import {
  type Config,
  ConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state';
import { hasOnly, isFilledList, isObject } from './shape.ts';

/** Of Envoy's texts, those that its routes can hash by too. */
const FACTORY = 'envoy.hashable_string';

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeSetFilterState(config: unknown): Config | undefined {
  if (!isObject(config) || !hasOnly(config, ['values'])) return undefined;
  const { values } = config;
  if (!isFilledList(values, isValue)) return undefined;
  return create(ConfigSchema, {
    onRequestHeaders: values.map(({ key, format, omitEmpty, readOnly, skipIfEmpty }) => ({
      key: { case: 'objectKey' as const, value: key },
      factoryKey: FACTORY,
      value: {
        case: 'formatString' as const,
        value: {
          format: {
            case: 'textFormatSource' as const,
            value: { specifier: { case: 'inlineString' as const, value: format } },
          },
          omitEmptyValues: omitEmpty ?? false,
        },
      },
      readOnly: readOnly ?? false,
      skipIfEmpty: skipIfEmpty ?? false,
    })),
  });
}

/** A flag that is said is true: Envoy's messages do not tell false from nothing. */
function isValue(value: unknown): value is FilterStateValue {
  if (!isObject(value) || !hasOnly(value, ['key', 'format', 'omitEmpty', 'readOnly', 'skipIfEmpty']))
    return false;
  const { key, format, ...flags } = value;
  return (
    typeof key === 'string' &&
    key !== '' &&
    typeof format === 'string' &&
    Object.values(flags).every((flag) => flag === true)
  );
}
