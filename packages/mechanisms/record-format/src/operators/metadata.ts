import type { StreamRecord } from '@tulle/telemetry';
import { metadataAt } from '../metadata-text.ts';
import { type Compile, type Getter, named, type Operators } from './operator.ts';

/** What an endpoint says of itself in Envoy's configuration. */
const ENDPOINT_NAMESPACE = 'envoy.lb';

type Values = Readonly<Record<string, unknown>>;
type Source = (record: StreamRecord, namespace: string) => Values | undefined;

const dynamic: Source = (record, namespace) => record.metadata(namespace);
const ofRoute: Source = (record, namespace) => record.routeMetadata(namespace);
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

const routeMetadata = named('%METADATA(ROUTE:my.namespace:owner)%', (argument) =>
  valueAt(ofRoute, argument.split(':')),
);

/** `METADATA(TYPE:NAMESPACE:KEY…)`, the extension `envoy.formatter.metadata`. */
const metadata: Compile = (argument, at, issues, context) => {
  const type = (argument ?? '').split(':', 1)[0] ?? '';
  const rest = (argument ?? '').slice(type.length + 1);
  if (type === 'DYNAMIC') return dynamicMetadata(rest, at, issues, context);
  if (type === 'ROUTE') return routeMetadata(rest, at, issues, context);
  if (type === 'UPSTREAM_HOST') return upstreamMetadata(rest, at, issues, context);
  issues.push({
    at,
    message: `the metadata of ${JSON.stringify(type)} is not kept; there is DYNAMIC, ROUTE and UPSTREAM_HOST, e.g. %METADATA(DYNAMIC:a.filter:key)%`,
  });
  return () => undefined;
};

/** Filter state whose objects have texts and fields, as in Envoy: of others there is JSON alone. */
const WITH_FIELDS: ReadonlySet<string> = new Set(['envoy.network.proxy_protocol.tlv']);

/** `FILTER_STATE(KEY:PLAIN|TYPED|FIELD:NAME)`: what is kept is text, in the first two forms the same, or an object. */
const filterState: Compile = (argument, at, issues) => {
  const [key = '', form = 'TYPED', ...more] = (argument ?? '').split(':');
  const [field = ''] = more;
  const known = form === 'FIELD' ? more.length === 1 && field !== '' : more.length === 0;
  if (key === '' || !['PLAIN', 'TYPED', 'FIELD'].includes(form) || !known)
    issues.push({
      at,
      message:
        'give a key, then PLAIN, TYPED or FIELD with its name, e.g. %FILTER_STATE(my.key:PLAIN)% or %FILTER_STATE(my.key:FIELD:name)%',
    });
  const hasFields = WITH_FIELDS.has(key);
  return (record) => {
    const value = record.filterState(key);
    if (form === 'FIELD')
      return hasFields && typeof value === 'object' && Object.hasOwn(value, field)
        ? String(value[field])
        : undefined;
    if (typeof value !== 'object') return value;
    if (form === 'PLAIN') return hasFields ? JSON.stringify(value) : undefined;
    return { json: value };
  };
};

/** What filters and the configuration say beside the request. */
export const METADATA_OPERATORS: Operators = {
  DYNAMIC_METADATA: dynamicMetadata,
  UPSTREAM_METADATA: upstreamMetadata,
  METADATA: metadata,
  FILTER_STATE: filterState,
};
