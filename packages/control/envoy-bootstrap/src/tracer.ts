import type { TraceProvider } from '@tulle/model';
import { type DecodeContext, decodeProvider } from '@tulle/xds-client';
import type { Bootstrap } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import { TracingSchema } from '@tulle/xds-proto/envoy/config/trace/v3/http_tracer';

/** Where spans go of handlers that have `tracing` and name no provider themselves (the deprecated `Bootstrap.tracing`). */
export function readTracer(
  { tracing }: Pick<Bootstrap, 'tracing'>,
  context: DecodeContext,
): TraceProvider | undefined {
  if (tracing === undefined) return undefined;
  context.check(TracingSchema, tracing, 'tracing');
  if (tracing.http !== undefined) return decodeProvider(context, tracing.http, 'tracing.http');
  context.refuse('tracing.http', 'is missing');
  return undefined;
}
