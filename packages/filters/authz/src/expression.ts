import {
  DYNAMIC_METADATA,
  FILTER_STATE,
  pseudoHeader,
  type ConnectionInfo,
  type Headers,
  type HoldsSlots,
  type HttpStream,
  type RequestHead,
} from '@tulle/filter';
import {
  compileCidrs,
  compileFilterStateMatch,
  compileMetadataMatch,
  compileStringMatch,
  type CompileContext,
} from '@tulle/match';
import type { AuthzExpression, ValueMatch } from '@tulle/model';
import { compileCel } from './cel.ts';
import { compileInput } from './input.ts';

/** A connection, with what its filters put down where it is judged by itself. */
export type JudgedConnection = ConnectionInfo & Partial<Pick<HoldsSlots, 'get'>>;

/** A compiled expression. @param stream `undefined` for a connection that carries no requests */
export type ExpressionTest = (connection: JudgedConnection, stream: HttpStream | undefined) => boolean;

/** Whether a part of an expression, however deep, is of a kind. */
export function hasPart(expression: AuthzExpression, is: (part: AuthzExpression) => boolean): boolean {
  if (is(expression)) return true;
  if ('allOf' in expression) return expression.allOf.some((part) => hasPart(part, is));
  if ('anyOf' in expression) return expression.anyOf.some((part) => hasPart(part, is));
  return 'not' in expression && hasPart(expression.not, is);
}

/** Whether compiling needs a regex engine. */
export function expressionUsesRegex(expression: AuthzExpression): boolean {
  // Patterns stand in many places, and nothing else has this form.
  return JSON.stringify(expression).includes('"kind":"regex"');
}

/** Who asks: what cannot be judged denies. */
export interface ExpressionUse {
  /** Whether whoever fulfils the whole is denied. */
  readonly denies: boolean;
  /** Whether there is a request to judge. */
  readonly ofRequests: boolean;
  /** Whether this part is one that must not hold. Default false. */
  readonly negated?: boolean;
}

/** Compiles an expression. @param path JSON pointer of it */
export function compileExpression(
  expression: AuthzExpression,
  context: CompileContext,
  path: string,
  use: ExpressionUse,
): ExpressionTest {
  if ('any' in expression) return () => true;
  if ('allOf' in expression) {
    const parts = expression.allOf.map((one, index) =>
      compileExpression(one, context, `${path}/allOf/${index}`, use),
    );
    return (connection, stream) => parts.every((part) => part(connection, stream));
  }
  if ('anyOf' in expression) {
    const parts = expression.anyOf.map((one, index) =>
      compileExpression(one, context, `${path}/anyOf/${index}`, use),
    );
    return (connection, stream) => parts.some((part) => part(connection, stream));
  }
  if ('not' in expression) {
    const part = compileExpression(expression.not, context, `${path}/not`, {
      ...use,
      negated: use.negated !== true,
    });
    return (connection, stream) => !part(connection, stream);
  }
  if ('path' in expression) {
    const test = compileStringMatch(expression.path, context, `${path}/path`);
    return (_connection, stream) => stream !== undefined && test(stream.request.path);
  }
  if ('header' in expression) return compileHeader(expression.header, context, `${path}/header`);
  if ('destination' in expression) {
    const networks = compileCidrs([expression.destination], context, `${path}/destination`);
    return (connection) => networks.has(connection.localAddress);
  }
  if ('ports' in expression) {
    const { first, last } = expression.ports;
    return ({ localPort }) => localPort >= first && localPort <= last;
  }
  if ('serverName' in expression) {
    const test = compileStringMatch(expression.serverName, context, `${path}/serverName`);
    return ({ serverName }) => test(serverName ?? '');
  }
  if ('identity' in expression) {
    const test = compileStringMatch(expression.identity, context, `${path}/identity`);
    return ({ peerIdentity }) => peerIdentity !== undefined && test(peerIdentity);
  }
  if ('peer' in expression) {
    const networks = compileCidrs([expression.peer], context, `${path}/peer`);
    return (connection) => networks.has(connection.directAddress);
  }
  if ('source' in expression) {
    const networks = compileCidrs([expression.source], context, `${path}/source`);
    return (connection) => networks.has(connection.remoteAddress);
  }
  if ('client' in expression) {
    const networks = compileCidrs([expression.client], context, `${path}/client`);
    return (connection, stream) => networks.has(stream?.clientAddress ?? connection.remoteAddress);
  }
  if ('filterState' in expression) {
    const test = compileFilterStateMatch(expression.filterState, context, `${path}/filterState`);
    return (connection, stream) =>
      test(stream === undefined ? connection.get?.(FILTER_STATE) : stream.get(FILTER_STATE));
  }
  if ('input' in expression) return compileInput(expression, context, path, use);
  if ('cel' in expression) return compileCel(expression.cel, context, `${path}/cel`, use);
  const test = compileMetadataMatch(expression.metadata, context, `${path}/metadata`);
  return (connection, stream) =>
    test(stream === undefined ? connection.get?.(DYNAMIC_METADATA) : stream.get(DYNAMIC_METADATA));
}

/**
 * A field that is absent matches nothing, inverted or not; `present` alone asks for it. Of several lines one is enough, as in Envoy
 * (`rbac_match_headers_individually`): who adds a line to one that is denied is denied still. Inverted, no
 * line may hold.
 */
function compileHeader(condition: ValueMatch, context: CompileContext, path: string): ExpressionTest {
  const name = condition.name.toLowerCase();
  const inverted = condition.invert === true;
  const test =
    condition.match.kind === 'present'
      ? undefined
      : compileStringMatch(condition.match, context, `${path}/match`);
  return (_connection, stream) => {
    if (stream === undefined) return false;
    const isThere = someLine(stream.request, name, undefined);
    if (test === undefined) return isThere !== inverted;
    return isThere && someLine(stream.request, name, test) !== inverted;
  };
}

/** @param test absent: any line */
function someLine(
  request: RequestHead,
  name: string,
  test: ((line: string) => boolean) | undefined,
): boolean {
  const own = pseudoHeader(request, name) ?? (name === 'cookie' ? crumbs(request.headers) : undefined);
  if (own !== undefined) return test === undefined || test(own);
  const { headers } = request;
  for (let index = 0; index < headers.length; index += 1)
    if (headers.name(index) === name && (test === undefined || test(headers.value(index)))) return true;
  return false;
}

/** The crumbs of a cookie as HTTP/1 has them (RFC 9113 §8.2.3). */
function crumbs(headers: Headers): string | undefined {
  let value: string | undefined;
  for (let index = 0; index < headers.length; index += 1)
    if (headers.name(index) === 'cookie')
      value = value === undefined ? headers.value(index) : `${value}; ${headers.value(index)}`;
  return value;
}
