import type { FilterStateCheck } from './filter-state-match.ts';
import { isGrpcContentType } from './grpc.ts';
import type { MetadataTest } from './metadata-match.ts';
import { testPath, type PathTest } from './path-match.ts';
import type { HeadersTest, QueryTest, RequestTest } from './value-match.ts';
import type { MatchView } from './view.ts';

/** A compiled route of one virtual host. */
export interface RouteCandidate<Payload> {
  /** Its place in the virtual host. */
  readonly index: number;
  readonly path: PathTest;
  /** Paths are looked at without their parameters: all routes of a configuration do, or none. */
  readonly bare: boolean;
  readonly method: string | undefined;
  readonly headers: readonly RequestTest[];
  readonly query: readonly QueryTest[];
  readonly cookies: readonly HeadersTest[];
  /** Only gRPC requests. */
  readonly grpc: boolean;
  /** Share of the requests, in percent. */
  readonly percent: number;
  /** `undefined`: whoever calls. */
  readonly provenPeer: boolean | undefined;
  readonly metadata: readonly MetadataTest[];
  readonly filterState: readonly FilterStateCheck[];
  readonly payload: Payload;
}

/** Which of a route's conditions a request does not fulfil: the first in the order in which they are tried. */
export type FailedCondition =
  | 'path'
  | 'method'
  | 'grpc'
  | 'header'
  | 'query'
  | 'cookie'
  | 'peer'
  | 'metadata'
  | 'filter state'
  | 'share';

/** What became of one route when a request was held against it. */
export interface RouteTrial<Payload> {
  readonly payload: Payload;
  /** `undefined`: it fits. */
  readonly failed: FailedCondition | undefined;
  /** Which of the route's header, query or cookie conditions failed. */
  readonly condition: number;
}

/** Up to this many routes are simply tried in order: comparing strings is quicker there than hashing them. */
const LINEAR_ROUTES = 12;

/** Candidates that share one path value, in configuration order. */
type Bucket<Payload> = RouteCandidate<Payload>[];

/** Prefixes of one length. */
interface PrefixLevel<Payload> {
  readonly length: number;
  readonly buckets: ReadonlyMap<string, Bucket<Payload>>;
}

/**
 * The routes of one virtual host: finds the first that matches, as a loop in order would. With many routes only those
 * are tried whose path can match, found by hash: the exact path, and each prefix length that occurs.
 */
export class RouteIndex<Payload> {
  readonly #all: readonly RouteCandidate<Payload>[];
  readonly #bare: boolean;
  readonly #linear: boolean;
  readonly #exact = new Map<string, Bucket<Payload>>();
  readonly #elements: readonly PrefixLevel<Payload>[];
  readonly #bytes: readonly PrefixLevel<Payload>[];
  readonly #regexes: Bucket<Payload> = [];

  constructor(candidates: readonly RouteCandidate<Payload>[]) {
    this.#bare = candidates.some(({ bare }) => bare);
    this.#all = candidates;
    this.#linear = candidates.length <= LINEAR_ROUTES;
    const elements = new Map<string, Bucket<Payload>>();
    const bytes = new Map<string, Bucket<Payload>>();
    for (const candidate of candidates) {
      const { kind, value, ignoreCase } = candidate.path;
      // What is not found by hash is tried in order.
      if (ignoreCase || !['exact', 'prefix', 'bytes-prefix'].includes(kind)) this.#regexes.push(candidate);
      else add(kind === 'exact' ? this.#exact : kind === 'prefix' ? elements : bytes, value, candidate);
    }
    this.#elements = levels(elements);
    this.#bytes = levels(bytes);
  }

  /** The first route that matches, in configuration order. */
  first(request: MatchView): RouteCandidate<Payload> | undefined {
    const path = this.#bare ? withoutParameters(request.path) : request.path;
    if (this.#linear) {
      for (const candidate of this.#all)
        if (testPath(candidate.path, path, request.method) && matchesRest(candidate, request))
          return candidate;
      return undefined;
    }
    let best = firstOf(this.#exact.get(path), request, undefined);
    for (const level of this.#elements) {
      if (level.length > path.length) break;
      // An element prefix ends where the path does, or before a slash.
      if (level.length !== 0 && level.length !== path.length && path.charCodeAt(level.length) !== 0x2f)
        continue;
      best = firstOf(level.buckets.get(path.slice(0, level.length)), request, best);
    }
    for (const level of this.#bytes) {
      if (level.length > path.length) break;
      best = firstOf(level.buckets.get(path.slice(0, level.length)), request, best);
    }
    for (const candidate of this.#regexes) {
      if (best !== undefined && candidate.index > best.index) break;
      if (testPath(candidate.path, path, request.method) && matchesRest(candidate, request)) return candidate;
    }
    return best;
  }

  /** Holds a request against every route, in configuration order. For explanations: it tries and allocates all. */
  trials(request: MatchView): RouteTrial<Payload>[] {
    const path = this.#bare ? withoutParameters(request.path) : request.path;
    return this.#all.map((candidate) => ({
      payload: candidate.payload,
      ...failureOf(candidate, request, path),
    }));
  }
}

/** Without what stands behind a `;` in each segment (RFC 3986 §3.3). */
function withoutParameters(path: string): string {
  return path.includes(';') ? path.replace(/;[^/]*/g, '') : path;
}

function failureOf(
  candidate: RouteCandidate<unknown>,
  request: MatchView,
  path: string,
): Omit<RouteTrial<unknown>, 'payload'> {
  if (!testPath(candidate.path, path, request.method)) return { failed: 'path', condition: 0 };
  if (candidate.method !== undefined && candidate.method !== request.method)
    return { failed: 'method', condition: 0 };
  if (candidate.grpc && !isGrpcContentType(request.headers.get('content-type')))
    return { failed: 'grpc', condition: 0 };
  const header = candidate.headers.findIndex((test) => !test(request));
  if (header >= 0) return { failed: 'header', condition: header };
  const query = candidate.query.findIndex((test) => !test(request.query));
  if (query >= 0) return { failed: 'query', condition: query };
  const cookie = candidate.cookies.findIndex((test) => !test(request.headers));
  if (cookie >= 0) return { failed: 'cookie', condition: cookie };
  const { provenPeer } = candidate;
  if (provenPeer !== undefined && provenPeer !== (request.provenPeer ?? false))
    return { failed: 'peer', condition: 0 };
  const metadata = candidate.metadata.findIndex((test) => !test(request.metadata));
  if (metadata >= 0) return { failed: 'metadata', condition: metadata };
  const state = candidate.filterState.findIndex((test) => !test(request.filterState));
  if (state >= 0) return { failed: 'filter state', condition: state };
  return { failed: inShare(candidate, request) ? undefined : 'share', condition: 0 };
}

function inShare({ percent }: RouteCandidate<unknown>, request: MatchView): boolean {
  return percent >= 100 || (request.draw?.() ?? 0) * 100 < percent;
}

function add<Payload>(
  buckets: Map<string, Bucket<Payload>>,
  value: string,
  candidate: RouteCandidate<Payload>,
): void {
  const bucket = buckets.get(value);
  if (bucket === undefined) buckets.set(value, [candidate]);
  else bucket.push(candidate);
}

function levels<Payload>(buckets: ReadonlyMap<string, Bucket<Payload>>): readonly PrefixLevel<Payload>[] {
  const byLength = new Map<number, Map<string, Bucket<Payload>>>();
  for (const [value, bucket] of buckets) {
    const level = byLength.get(value.length) ?? new Map<string, Bucket<Payload>>();
    byLength.set(value.length, level.set(value, bucket));
  }
  return [...byLength]
    .map(([length, level]) => ({ length, buckets: level }))
    .toSorted((a, b) => a.length - b.length);
}

/** The first candidate of a bucket that matches and stands before `best`, else `best`. */
function firstOf<Payload>(
  bucket: Bucket<Payload> | undefined,
  request: MatchView,
  best: RouteCandidate<Payload> | undefined,
): RouteCandidate<Payload> | undefined {
  if (bucket === undefined) return best;
  for (const candidate of bucket) {
    if (best !== undefined && candidate.index > best.index) return best;
    if (matchesRest(candidate, request)) return candidate;
  }
  return best;
}

/** Everything but the path. */
function matchesRest<Payload>(candidate: RouteCandidate<Payload>, request: MatchView): boolean {
  if (candidate.method !== undefined && candidate.method !== request.method) return false;
  if (candidate.grpc && !isGrpcContentType(request.headers.get('content-type'))) return false;
  for (const test of candidate.headers) if (!test(request)) return false;
  if (candidate.query.length > 0) {
    const query = request.query;
    for (const test of candidate.query) if (!test(query)) return false;
  }
  for (const test of candidate.cookies) if (!test(request.headers)) return false;
  const { provenPeer } = candidate;
  if (provenPeer !== undefined && provenPeer !== (request.provenPeer ?? false)) return false;
  for (const test of candidate.metadata) if (!test(request.metadata)) return false;
  for (const test of candidate.filterState) if (!test(request.filterState)) return false;
  return inShare(candidate, request);
}
