import type { RouteMatch } from '@tulle/model';

/** What decides between two matches that could both take a request of one host name. */
export interface PrecedenceKey {
  readonly match: RouteMatch;
  /** Creation time of the resource, milliseconds since 1970; absent for files, which then lose to resources that have one. */
  readonly createdMs?: number;
  /** `namespace/name` of the resource. */
  readonly name: string;
  /** Place of the rule in its resource, then of the match in its rule: earlier wins. */
  readonly rule: number;
  /** Of a GRPCRoute: characters of the service and of the method that it asks for, which decide instead of the path. */
  readonly grpc?: { readonly serviceChars: number; readonly methodChars: number };
}

/** Exact before regex before prefixes. Where regexes stand is left to implementations; `/` must not shadow them. */
const KIND_RANK = { connect: 0, exact: 0, regex: 1, template: 1, prefix: 2, 'bytes-prefix': 2 } as const;

/**
 * Gateway API precedence (HTTPRouteRule.matches) below the host name: exact path, then regex, then the prefix with the
 * most characters; a method; most header matches; most query matches; then the older resource, `namespace/name`, and
 * the first rule. Between matches of GRPCRoutes (GRPCRouteRule.matches): most characters of the service, then of the
 * method, then as above; they come before any other. @returns negative when `a` wins
 */
export function comparePrecedence(a: PrecedenceKey, b: PrecedenceKey): number {
  return (
    compareGrpc(a.grpc, b.grpc) ||
    KIND_RANK[a.match.path.kind] - KIND_RANK[b.match.path.kind] ||
    pathLength(b.match) - pathLength(a.match) ||
    Number(b.match.method !== undefined) - Number(a.match.method !== undefined) ||
    (b.match.headers?.length ?? 0) - (a.match.headers?.length ?? 0) ||
    (b.match.query?.length ?? 0) - (a.match.query?.length ?? 0) ||
    compareTimes(a.createdMs, b.createdMs) ||
    compareText(a.name, b.name) ||
    a.rule - b.rule
  );
}

function compareGrpc(a: PrecedenceKey['grpc'], b: PrecedenceKey['grpc']): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return b.serviceChars - a.serviceChars || b.methodChars - a.methodChars;
}

/** The entries in the order in which a virtual host must list them; equal ones keep theirs. */
export function sortByPrecedence<Entry extends PrecedenceKey>(entries: readonly Entry[]): Entry[] {
  return entries.toSorted(comparePrecedence);
}

/** Only prefixes and regexes compete by length; of two exact paths at most one matches. */
function pathLength(match: RouteMatch): number {
  const { kind, value } = match.path;
  if (kind === 'exact') return 0;
  return kind === 'prefix' ? value.replace(/\/$/, '').length : value.length;
}

function compareTimes(a: number | undefined, b: number | undefined): number {
  if (a === b) return 0;
  return (a ?? Infinity) - (b ?? Infinity);
}

/** By code unit, so that it does not depend on the machine's language. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
