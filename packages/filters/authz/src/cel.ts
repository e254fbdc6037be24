import {
  type CelIssue,
  CONNECTION_ATTRIBUTES,
  loadedCelEngine,
  NO_CEL_ENGINE,
  STREAM_ATTRIBUTES,
  type StreamSubject,
} from '@tulle/cel';
import type { CompileContext } from '@tulle/match';
import type { ExpressionTest, ExpressionUse } from './expression.ts';

/**
 * A condition in CEL. One that asks for what is not there is not fulfilled, whoever asks, as in Envoy. Where it cannot be judged for another
 * reason Envoy says the same, so that a DENY lets pass; here it denies.
 */
export function compileCel(
  text: string,
  context: CompileContext,
  path: string,
  { denies, ofRequests, negated = false }: ExpressionUse,
): ExpressionTest {
  const engine = loadedCelEngine();
  if (engine === undefined) context.issue(path, NO_CEL_ENGINE);
  const issues: CelIssue[] = [];
  const expression = engine?.compile(text, ofRequests ? STREAM_ATTRIBUTES : CONNECTION_ATTRIBUTES, issues);
  for (const { at, message } of issues) context.issue(path, `column ${at + 1}: ${message}`);
  // What makes the whole be fulfilled or not, from where this part stands.
  const unfulfilled = negated;
  const undecided = denies !== negated;
  return (connection, stream) => {
    const subject: StreamSubject = { connection, stream };
    const holds = expression?.holds(subject);
    if (holds === undefined) return undecided;
    return holds === 'absent' ? unfulfilled : holds;
  };
}
