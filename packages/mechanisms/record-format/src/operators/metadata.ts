import type { StreamRecord } from '@tulle/telemetry';
import { metadataAt } from '../metadata-text.ts';
import { type Compile, type Getter, named, type Operators } from './operator.ts';

/** What an endpoint says of itself in Envoy's configuration. */
const ENDPOINT_NAMESPACE = 'envoy.lb';

type Values = Readonly<Record<string, unknown>>;
type Source = (record: StreamRecord, namespace: string) => Values | undefined;

const dynamic: Source = (record, namespace) => record.metadata(namespace);
const endpoint: Source = (record) =>
  Object.keys(record.upstreamLabels).length === 0 ? undefined : record.upstreamLabels;

/** `NAMESPACE:KEY:KEY…`: a value by the way to it, or all of a namespace. */
function valueAt(source: Source, [namespace = '', ...keys]: readonly string[]): Getter {
  return (record) => {
    const value = metadataAt(source(record, namespace), keys);
    if (value === undefined) return undefined;
    return typeof value === 'string' ? value : { json: value };
  };
}

const dynamicMetadata = named('%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%', (argument) =>
  valueAt(dynamic, argument.split(':')),
);

const upstreamMetadata: Compile = (argument, at, issues) => {
  const path = (argument ?? '').split(':');
  if (path[0] !== ENDPOINT_NAMESPACE)
    issues.push({
      at,
      message: `of endpoints there is ${ENDPOINT_NAMESPACE} alone, e.g. %UPSTREAM_METADATA(envoy.lb:version)%`,
    });
  return valueAt(endpoint, path);
};

/** `METADATA(TYPE:NAMESPACE:KEY…)`, the extension `envoy.formatter.metadata`. */
const metadata: Compile = (argument, at, issues, context) => {
  const type = (argument ?? '').split(':', 1)[0] ?? '';
  const rest = (argument ?? '').slice(type.length + 1);
  if (type === 'DYNAMIC') return dynamicMetadata(rest, at, issues, context);
  if (type === 'UPSTREAM_HOST') return upstreamMetadata(rest, at, issues, context);
  issues.push({
    at,
    message: `the metadata of ${JSON.stringify(type)} is not kept; there is DYNAMIC and UPSTREAM_HOST, e.g. %METADATA(DYNAMIC:a.filter:key)%`,
  });
  return () => undefined;
};

/** `FILTER_STATE(KEY:PLAIN|TYPED)`: what is kept is text, in either form the same, or an object, which has none in the plain one. */
const filterState: Compile = (argument, at, issues) => {
  const [key = '', form = 'TYPED', ...more] = (argument ?? '').split(':');
  if (key === '' || !['PLAIN', 'TYPED'].includes(form) || more.length > 0)
    issues.push({ at, message: 'give a key, then PLAIN or TYPED, e.g. %FILTER_STATE(my.key:PLAIN)%' });
  return (record) => {
    const value = record.filterState(key);
    if (typeof value !== 'object') return value;
    return form === 'PLAIN' ? undefined : { json: value };
  };
};

/** What filters and the configuration say beside the request. */
export const METADATA_OPERATORS: Operators = {
  DYNAMIC_METADATA: dynamicMetadata,
  UPSTREAM_METADATA: upstreamMetadata,
  METADATA: metadata,
  FILTER_STATE: filterState,
};
