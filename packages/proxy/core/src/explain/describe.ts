import type { PathMatch, RouteMatch, ValueMatch } from '@tulle/model';

/** Fields of HTTP whose values are credentials, where an edit or a condition names one. */
const SECRET_FIELD = /^(?:proxy-)?authorization$|cookie|token|secret|password|api-?key|credential/i;

/** Whether the value of a field of this name is shown to nobody. */
export function isSecretField(name: string): boolean {
  return SECRET_FIELD.test(name);
}

/** A route's conditions in words. */
export function describeMatch({ path, method, headers = [], query = [], grpc }: RouteMatch): string {
  return [
    describePath(path),
    ...(method === undefined ? [] : [`method ${method}`]),
    ...(grpc === true ? ['gRPC'] : []),
    ...headers.map((condition) => `header ${describeValue(condition)}`),
    ...query.map((condition) => `query ${describeValue(condition)}`),
  ].join(', ');
}

export function describePath({ kind, value }: PathMatch): string {
  return `path ${kind} ${value}`;
}

export function describeValue({ name, match, invert }: ValueMatch): string {
  const value =
    match.kind === 'present'
      ? 'present'
      : `${match.kind} ${isSecretField(name) ? '[redacted]' : JSON.stringify(match.value)}`;
  return `${name} ${invert === true ? 'not ' : ''}${value}`;
}
