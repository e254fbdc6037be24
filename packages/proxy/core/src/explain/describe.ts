import type { HeaderMatch, PathMatch, RouteMatch, ValueMatch } from '@tulle/model';

/** Fields of HTTP whose values are credentials, where an edit or a condition names one. */
const SECRET_FIELD = /^(?:proxy-)?authorization$|cookie|token|secret|password|api-?key|credential/i;

/** Whether the value of a field of this name is shown to nobody. */
export function isSecretField(name: string): boolean {
  return SECRET_FIELD.test(name);
}

/** A route's conditions in words. */
export function describeMatch(match: RouteMatch): string {
  const {
    path,
    method,
    headers = [],
    query = [],
    cookies = [],
    grpc,
    percent,
    provenPeer,
    metadata = [],
    filterState = [],
  } = match;
  return [
    describePath(path),
    ...(method === undefined ? [] : [`method ${method}`]),
    ...(grpc === true ? ['gRPC'] : []),
    ...headers.map((condition) => `header ${describeValue(condition)}`),
    ...query.map((condition) => `query ${describeValue(condition)}`),
    ...cookies.map((condition) => `cookie ${describeCookie(condition)}`),
    ...(provenPeer === undefined ? [] : [`caller ${provenPeer ? 'with' : 'without'} a certificate`]),
    ...metadata.map(({ namespace, path: way }) => `metadata ${[namespace, ...way].join(':')}`),
    ...filterState.map(({ key }) => `filter state ${key}`),
    ...(percent === undefined ? [] : [`${percent} % of the requests`]),
  ].join(', ');
}

export function describePath({ kind, value, ignoreCase }: PathMatch): string {
  return kind === 'connect' ? 'CONNECT' : `path ${kind} ${value}${ignoreCase === true ? ' in any case' : ''}`;
}

/** Its value is shown to nobody. */
export function describeCookie({ name, match, invert }: ValueMatch): string {
  return `${name} ${invert === true ? 'not ' : ''}${match.kind}${match.kind === 'present' ? '' : ' [redacted]'}`;
}

export function describeValue({ name, match, invert, absent }: HeaderMatch): string {
  const value =
    match.kind === 'present'
      ? 'present'
      : match.kind === 'range'
        ? `${match.from} <= value < ${match.to}`
        : `${match.kind} ${isSecretField(name) ? '[redacted]' : JSON.stringify(match.value)}`;
  const missing =
    absent === undefined ? '' : absent === 'empty' ? ', empty where absent' : ', where it is there';
  return `${name} ${invert === true ? 'not ' : ''}${value}${missing}`;
}
