import type { FieldTable } from '@tulle/fields';
import type { Stream } from '../stream/stream.ts';

/** By which proxies tell each other what spans of a request are called. */
const OPERATION = 'x-envoy-decorator-operation';

/** What the other side calls the request is for this proxy alone. @param fields of its message */
export function takeOperation(stream: Stream, fields: FieldTable): void {
  const operation = fields.get(OPERATION);
  if (operation === undefined) return;
  fields.drop(OPERATION);
  if (operation !== '') stream.ownTrace().operation = operation;
}

/** Tells it what the route calls the request. A caller that told it itself is told nothing. */
export function tellOperation({ route, trace }: Stream, fields: FieldTable): void {
  const decorator = route?.decorator;
  if (decorator !== undefined && decorator.propagate !== false && trace.operation === '')
    fields.put(OPERATION, decorator.operation);
}
