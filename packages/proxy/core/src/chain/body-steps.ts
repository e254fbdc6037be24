import type { Stream } from '../stream/stream.ts';
import { BUFFER, TRANSFORM, type DataStep } from './tables.ts';

/**
 * What filters chose for a body, beyond what they declared: a number for each filter that chose, of its slot. Few do, so the lists
 * are nearly always empty.
 */
export type BodyChoice = number;

/** The body passes the filter untouched. */
export function passing(slot: number): BodyChoice {
  return slot * 2;
}

/** The filter takes pieces as they come, although it had declared to have the body collected. */
export function streaming(slot: number): BodyChoice {
  return slot * 2 + 1;
}

/** The data hooks of a body by what their filters chose. */
export function chosenSteps(steps: readonly DataStep[], choices: readonly BodyChoice[]): readonly DataStep[] {
  if (choices.length === 0) return steps;
  return steps
    .filter(({ filter }) => !choices.includes(passing(filter.slot)))
    .map((step) =>
      step.mode === BUFFER && choices.includes(streaming(step.filter.slot))
        ? { ...step, mode: TRANSFORM }
        : step,
    );
}

/** The data hooks that this request's body passes: those in force, but for filters that let it pass untouched. */
export function requestSteps(stream: Stream): readonly DataStep[] | null {
  const { table, requestChoices } = stream;
  if (requestChoices.length === 0 || table.requestData === null) return table.requestData;
  if (stream.requestStepsOf !== table) {
    const left = chosenSteps(table.requestData, requestChoices);
    stream.requestSteps = left.length === 0 ? null : left;
    stream.requestStepsOf = table;
  }
  return stream.requestSteps;
}

/** Whether a hook wants the whole body before the endpoint is asked. */
export function collectsRequest(stream: Stream): boolean {
  return stream.table.requestBuffered && (stream.requestChoices.length === 0 || has(stream, BUFFER));
}

/** Whether a hook may make the body another one, of another length. */
export function transformsRequest(stream: Stream): boolean {
  return stream.requestChoices.length === 0 ? stream.table.requestTransformed : has(stream, TRANSFORM);
}

function has(stream: Stream, mode: DataStep['mode']): boolean {
  return requestSteps(stream)?.some((step) => step.mode === mode) ?? false;
}
