import { findInvalidValue } from '@tulle/fields';
import type { HandlerTracing, Route, RouteDecorator, RouteTracing } from '@tulle/model';
import type { SpanNames } from '../stream/logs.ts';
import { compileValue } from './compile-edits.ts';
import type { CompiledRouteTracing } from './compiled.ts';
import type { Issues } from './issues.ts';

/** @param path JSON pointer of the tracing */
export function compileSpanNames(
  { operation, upstreamOperation }: Pick<HandlerTracing, 'operation' | 'upstreamOperation'>,
  path: string,
  issues: Issues,
): SpanNames {
  return {
    operation: operation === undefined ? undefined : compileValue(operation, `${path}/operation`, issues),
    upstreamOperation:
      upstreamOperation === undefined
        ? undefined
        : compileValue(upstreamOperation, `${path}/upstreamOperation`, issues),
  };
}

/** Percentages that a route leaves out are 100, as in Envoy. */
export function compileRouteTracing(
  tracing: RouteTracing | undefined,
  path: string,
  issues: Issues,
): CompiledRouteTracing | undefined {
  if (tracing === undefined) return undefined;
  const { overallSamplingPercent = 100, randomSamplingPercent = 100, clientSamplingPercent = 100 } = tracing;
  const overall = overallSamplingPercent / 100;
  return {
    sampleRatio: (randomSamplingPercent / 100) * overall,
    clientSampleRatio: (clientSamplingPercent / 100) * overall,
    names: compileSpanNames(tracing, `${path}/tracing`, issues),
    tags: tracing.customTags,
  };
}

/** The name goes into a field. @param path JSON pointer of the route */
export function checkedDecorator(
  { decorator }: Route,
  path: string,
  issues: Issues,
): RouteDecorator | undefined {
  if (decorator !== undefined && findInvalidValue(decorator.operation) >= 0)
    issues.add(
      `${path}/decorator/operation`,
      `${JSON.stringify(decorator.operation)} has a character that no field value may have (RFC 9110 §5.5)`,
    );
  return decorator;
}
