import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { CONN_SET_FILTER_STATE_FILTER, type FilterStateValue } from '@tulle/model';
import {
  type Config,
  ConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state';
import { ConfigSchema as NetworkConfigSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state';
import {
  FilterStateValue_SharedWithUpstream as Shared,
  FilterStateValueSchema as ValueSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/common/set_filter_state/v3/value';
import { hasOnly, isFilledList, isObject } from './shape.ts';

/** Of Envoy's texts, those that its routes can hash by too. */
const FACTORY = 'envoy.hashable_string';
/** Of its addresses, which differ in nothing but their names. */
const ADDRESS_FACTORY = 'envoy.filters.listener.original_dst.local_ip';

const SHARED = { once: Shared.ONCE, always: Shared.TRANSITIVE } as const;

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeSetFilterState(config: unknown): Config | undefined {
  if (!isObject(config) || !hasOnly(config, ['values', 'rematch'])) return undefined;
  const { values, rematch } = config;
  const onRequestHeaders = rematch === undefined || rematch === true ? valuesOf({ values }) : undefined;
  return onRequestHeaders && create(ConfigSchema, { onRequestHeaders, clearRouteCache: rematch === true });
}

/** The same of connections. */
export function encodeConnSetFilterState(filter: string, config: unknown): Any | undefined {
  const onNewConnection = filter === CONN_SET_FILTER_STATE_FILTER ? valuesOf(config) : undefined;
  return onNewConnection && anyPack(NetworkConfigSchema, create(NetworkConfigSchema, { onNewConnection }));
}

function valuesOf(config: unknown): MessageInitShape<typeof ValueSchema>[] | undefined {
  if (!isObject(config) || !hasOnly(config, ['values'])) return undefined;
  const { values } = config;
  if (!isFilledList(values, isValue)) return undefined;
  return values.map(({ key, format, omitEmpty, readOnly, skipIfEmpty, kind, shared }) => ({
    key: { case: 'objectKey' as const, value: key },
    factoryKey: kind === 'address' ? ADDRESS_FACTORY : FACTORY,
    sharedWithUpstream: shared === undefined ? Shared.NONE : SHARED[shared],
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
  }));
}

/** A flag that is said is true: Envoy's messages do not tell false from nothing. */
function isValue(value: unknown): value is FilterStateValue {
  if (
    !isObject(value) ||
    !hasOnly(value, ['key', 'format', 'omitEmpty', 'readOnly', 'skipIfEmpty', 'kind', 'shared'])
  )
    return false;
  const { key, format, kind, shared, ...flags } = value;
  return (
    typeof key === 'string' &&
    key !== '' &&
    typeof format === 'string' &&
    (kind === undefined || kind === 'address') &&
    (shared === undefined || shared === 'once' || shared === 'always') &&
    Object.values(flags).every((flag) => flag === true)
  );
}
