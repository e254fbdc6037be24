import type { HttpStream } from '@tulle/filter';
import type { CompileContext } from '@tulle/match';
import type { AuthzDecider } from '@tulle/model';
import { compileExpression, type ExpressionTest, type JudgedConnection } from './expression.ts';
import type { Decision } from './policies.ts';

/** A compiled decision of a matcher. */
export interface Decider {
  readonly name: string;
  readonly index: number;
  readonly deny: boolean;
  /** Lets pass, and is noted. */
  readonly log: boolean;
  readonly holds: ExpressionTest;
}

/** @param from index of the first @param ofRequests whether there are requests to judge */
export function compileDeciders(
  deciders: readonly AuthzDecider[],
  context: CompileContext,
  path: string,
  from: number,
  ofRequests: boolean,
): readonly Decider[] {
  return deciders.map(({ name, action, expression }, place) => ({
    name,
    index: from + place,
    deny: action === 'DENY',
    log: action === 'LOG',
    holds: compileExpression(expression, context, `${path}/${place}/expression`, {
      denies: action === 'DENY',
      ofRequests,
    }),
  }));
}

/** What the first that holds decides; denied by none (`-1 << 1`) where no one does (Envoy `RBAC.matcher`). */
export function firstOf(
  deciders: readonly Decider[],
  connection: JudgedConnection,
  stream: HttpStream | undefined,
): Decision {
  for (const { index, deny, holds } of deciders)
    if (holds(connection, stream)) return (index << 1) | (deny ? 0 : 1);
  return -1 << 1;
}
