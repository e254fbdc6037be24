import type { StreamRecord } from '@tulle/telemetry';
import {
  type Compile,
  type Getter,
  ms,
  named,
  type OperatorContext,
  type Operators,
  plain,
} from './operator.ts';

const withQuery = (path: string, query: string | undefined, { query: mode }: OperatorContext): string =>
  query === undefined || mode === 'strip' ? path : `${path}?${query}`;

/** A request field or pseudo field: `:METHOD`, `:PATH` as sent upstream, `X-ENVOY-ORIGINAL-PATH` where it was rewritten. */
function requestField(name: string, context: OperatorContext): Getter {
  switch (name) {
    case ':method':
      return (r) => r.method;
    case ':authority':
    case 'host':
      return (r) => r.authority;
    case ':scheme':
      return (r) => (r.kind === 'tcp' ? undefined : schemeOf(r));
    case ':path':
      return (r) => (r.kind === 'tcp' ? undefined : withQuery(r.upstreamPath ?? r.path, r.query, context));
    case 'x-envoy-original-path':
      return (r) => (r.upstreamPath === undefined ? undefined : withQuery(r.path, r.query, context));
    case 'x-request-id':
      return (r) => r.requestId;
    default:
      return (r) => r.requestHeader(name);
  }
}

/** As a proxy before this one says: where it is not believed, the field has been put by this one. */
function schemeOf(record: StreamRecord): string {
  const said = record.requestHeader('x-forwarded-proto')?.toLowerCase();
  return said === 'http' || said === 'https' ? said : record.tls ? 'https' : 'http';
}

/** The extension `envoy.formatter.req_without_query`. */
function fieldWithoutQuery(name: string, context: OperatorContext): Getter {
  const get = requestField(name, context);
  return (record) => {
    const value = get(record);
    return typeof value === 'string' ? value.split('?', 1)[0] : value;
  };
}

function responseField(name: string): Getter {
  if (name === ':status') return (r) => (r.status === 0 ? undefined : r.status);
  // Envoy sets this field; here it is known without being sent.
  if (name === 'x-envoy-upstream-service-time')
    return (r) => ms(r.upstreamServiceMs) ?? r.responseHeader(name);
  return (r) => r.responseHeader(name);
}

/** `X?Y`: Y where X is unset. */
const fields =
  (example: string, field: (name: string, context: OperatorContext) => Getter): Compile =>
  (argument, at, issues, context) => {
    const names = (argument ?? '').split('?').map((name) => name.trim().toLowerCase());
    if (names.length > 2 || names.some((name) => !/^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)))
      issues.push({ at, message: `give a field name, or two as in ${example}` });
    const [first = '', second] = names;
    const get = field(first, context);
    if (second === undefined) return get;
    const instead = field(second, context);
    return (record) => {
      const value = get(record);
      return value === undefined || value === '' ? instead(record) : value;
    };
  };

/** `PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH)`: with or without query, before or after rewriting. */
const path: Compile = (argument, at, issues, context) => {
  const [query = 'WQ', which = 'ORIG_OR_PATH'] = (argument ?? '').split(':').map((part) => part || undefined);
  if (!/^(?:(?:WQ|NQ)?(?::(?:ORIG|PATH|ORIG_OR_PATH))?)$/.test(argument ?? ''))
    issues.push({ at, message: 'give WQ or NQ, then ORIG, PATH or ORIG_OR_PATH, e.g. %PATH(NQ:ORIG)%' });
  return (r) => {
    if (r.kind === 'tcp') return undefined;
    const shown = which === 'PATH' ? (r.upstreamPath ?? r.path) : r.path;
    return query === 'NQ' ? shown : withQuery(shown, r.query, context);
  };
};

/** Decoded, as Envoy has them. */
function queryParameter(name: string, context: OperatorContext): Getter {
  return (r) => {
    if (r.query === undefined || context.query === 'strip') return undefined;
    for (const pair of r.query.split('&')) {
      const equals = pair.indexOf('=');
      if ((equals < 0 ? pair : pair.slice(0, equals)) === name)
        return equals < 0 ? '' : decoded(pair.slice(equals + 1));
    }
    return undefined;
  };
}

/** What is no percent-encoding stays. */
function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `QUERY_PARAMS(ORIG|DECODED)`: all of them, as they came or each decoded. */
const queryParameters: Compile = (argument, at, issues, context) => {
  if (![undefined, 'ORIG', 'DECODED'].includes(argument))
    issues.push({ at, message: 'give ORIG or DECODED, e.g. %QUERY_PARAMS(DECODED)%' });
  return ({ query }) => {
    if (query === undefined || context.query === 'strip') return undefined;
    return argument === 'DECODED' ? query.split('&').map(decoded).join('&') : query;
  };
};

/** Fields of request and response, and parts of the path. */
export const FIELD_OPERATORS: Operators = {
  REQ: fields('%REQ(X-FORWARDED-FOR)%, %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', requestField),
  REQ_WITHOUT_QUERY: fields('%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%', fieldWithoutQuery),
  RESP: fields('%RESP(CONTENT-TYPE)%', responseField),
  TRAILER: fields('%TRAILER(GRPC-STATUS)%', (name) => (r) => r.responseTrailer(name)),
  PATH: path,
  QUERY_PARAM: named('%QUERY_PARAM(page)%', queryParameter),
  QUERY_PARAMS: queryParameters,
  REQUEST_HEADERS_BYTES: plain((r) => r.fieldBytes?.request),
  RESPONSE_HEADERS_BYTES: plain((r) => r.fieldBytes?.response),
  RESPONSE_TRAILERS_BYTES: plain((r) => r.fieldBytes?.responseTrailers),
};
