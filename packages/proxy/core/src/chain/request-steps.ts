import type { Stream } from '../stream/stream.ts';
import { BUFFER, TRANSFORM, type DataStep } from './tables.ts';

/** The data hooks that this request's body passes: those in force, but for filters that let it pass untouched. */
export function requestSteps(stream: Stream): readonly DataStep[] | null {
  const { table, requestPassing } = stream;
  if (requestPassing.length === 0 || table.requestData === null) return table.requestData;
  if (stream.requestStepsOf !== table) {
    const left = table.requestData.filter(({ filter }) => !requestPassing.includes(filter.slot));
    stream.requestSteps = left.length === 0 ? null : left;
    stream.requestStepsOf = table;
  }
  return stream.requestSteps;
}

/** Whether a hook wants the whole body before the endpoint is asked. */
export function collectsRequest(stream: Stream): boolean {
  return stream.table.requestBuffered && (stream.requestPassing.length === 0 || has(stream, BUFFER));
}

/** Whether a hook may make the body another one, of another length. */
export function transformsRequest(stream: Stream): boolean {
  return stream.table.requestTransformed && (stream.requestPassing.length === 0 || has(stream, TRANSFORM));
}

function has(stream: Stream, mode: DataStep['mode']): boolean {
  return requestSteps(stream)?.some((step) => step.mode === mode) ?? false;
}
