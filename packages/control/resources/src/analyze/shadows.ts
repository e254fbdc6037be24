import { comparePrecedence } from '@tulle/match';
import type { HeaderMatch, PathMatch, RouteMatch, ValueMatch } from '@tulle/model';
import type { LocatedResource } from '../resource.ts';
import { createdMs } from '../route-match.ts';
import { incompatibleRules, matchesOfRule, type RequestRoute } from '../routes.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { placesOf } from './places.ts';

/** One match of a rule. */
interface Candidate {
  readonly subject: LocatedResource<RequestRoute>;
  readonly rule: number;
  readonly index: number;
  readonly match: RouteMatch;
  readonly name: string;
  readonly createdMs?: number;
  /** Parents and hosts for which it is asked, for a sentence by key. */
  readonly places: ReadonlyMap<string, string>;
}

/** What a match loses, and to whom. */
interface Loss {
  readonly winner: Candidate;
  readonly places: string[];
}

/**
 * A rule is shadowed when each of its matches has an equal one before it, for every parent and host of its own. (By precedence
 * a more specific match always comes first, so only equal ones can shadow.) Where only some are lost, or where two
 * matches are as specific as each other and a request may fit both, rules overlap.
 */
export function analyzeShadows(routes: readonly LocatedResource<RequestRoute>[], host: AnalysisHost): void {
  const candidates = routes.flatMap((route) => candidatesOf(route, host));
  const losses = new Map<Candidate, Loss>();
  for (const [, place, group] of groupsBy(candidates, fingerprint)) {
    const [winner, ...losers] = group.toSorted(comparePrecedence) as [Candidate, ...Candidate[]];
    for (const loser of losers) {
      const loss = losses.get(loser) ?? { winner, places: [] };
      losses.set(loser, loss);
      loss.places.push(place);
    }
  }
  const rules = new Map<LocatedResource<RequestRoute>, Map<number, Map<number, Candidate>>>();
  for (const [loser, { winner, places }] of losses) {
    if (places.length < loser.places.size) {
      reportOverlap(
        loser,
        `${nameOf(winner)} has the same requests ${[...new Set(places)].join(', ')}, and comes first there`,
        host,
      );
      continue;
    }
    const lost = rules.get(loser.subject) ?? new Map<number, Map<number, Candidate>>();
    rules.set(loser.subject, lost);
    lost.set(loser.rule, (lost.get(loser.rule) ?? new Map<number, Candidate>()).set(loser.index, winner));
  }
  for (const [subject, lost] of rules)
    for (const [rule, matches] of lost) reportShadow(subject, rule, matches, host);
  analyzeOverlaps(candidates, losses, host);
}

/** Matches of which neither is more specific, and that may fit one request. Told once a rule. */
function analyzeOverlaps(
  candidates: readonly Candidate[],
  losses: ReadonlyMap<Candidate, Loss>,
  host: AnalysisHost,
): void {
  const told = new Set<string>();
  for (const [, , group] of groupsBy(candidates, rankOf)) {
    const sorted = group.filter((one) => !losses.has(one)).toSorted(comparePrecedence);
    for (const [i, loser] of sorted.entries()) {
      const key = `${loser.subject.resource.kind} ${loser.name} ${loser.rule}`;
      if (told.has(key)) continue;
      const winner = sorted
        .slice(0, i)
        .find(
          (one) =>
            (one.subject !== loser.subject || one.rule !== loser.rule) && mayFitBoth(one.match, loser.match),
        );
      if (winner === undefined) continue;
      told.add(key);
      reportOverlap(
        loser,
        `a request that fits ${nameOf(winner)} too goes there: neither is more specific, and that one is ${winner.subject === loser.subject ? 'written first' : 'older, or first by name'}`,
        host,
      );
    }
  }
}

function candidatesOf(subject: LocatedResource<RequestRoute>, host: AnalysisHost): Candidate[] {
  const { spec, metadata } = subject.resource;
  const created = createdMs(metadata);
  const places = placesOf(subject.resource, host);
  const dropped = incompatibleRules(subject.resource);
  const rules = [...(spec.rules ?? []).keys()].filter((rule) => !dropped.includes(rule));
  return rules.flatMap((rule) =>
    matchesOfRule(subject.resource, rule).map(({ match }, index) => ({
      subject,
      rule,
      index,
      match,
      places,
      name: `${metadata.namespace}/${metadata.name}`,
      ...(created === undefined ? {} : { createdMs: created }),
    })),
  );
}

/** Those of one place and key, where there are several. */
function groupsBy(
  candidates: readonly Candidate[],
  keyOf: (match: RouteMatch) => string,
): readonly (readonly [key: string, place: string, group: readonly Candidate[]])[] {
  const groups = new Map<string, { readonly place: string; readonly group: Candidate[] }>();
  for (const candidate of candidates) {
    const own = keyOf(candidate.match);
    for (const [at, place] of candidate.places) {
      const key = `${at} ${own}`;
      const entry = groups.get(key) ?? { place, group: [] };
      groups.set(key, entry);
      entry.group.push(candidate);
    }
  }
  return [...groups].flatMap(([key, { place, group }]) =>
    group.length < 2 ? [] : [[key, place, group] as const],
  );
}

/** Whether no condition of the one excludes the other's. */
function mayFitBoth(a: RouteMatch, b: RouteMatch): boolean {
  const excludes = (
    one: readonly (HeaderMatch | ValueMatch)[] = [],
    other: readonly (HeaderMatch | ValueMatch)[] = [],
  ): boolean =>
    one.some(({ name, match }) =>
      other.some(
        (its) =>
          its.name === name &&
          match.kind === 'exact' &&
          its.match.kind === 'exact' &&
          match.value !== its.match.value,
      ),
    );
  return !excludes(a.headers, b.headers) && !excludes(a.query, b.query);
}

function nameOf({ rule, subject, name }: Candidate): string {
  const where = subject.locate(`/spec/rules/${rule}`);
  return `rule ${rule} of ${subject.resource.kind} ${name}${where === undefined ? '' : ` (${where.file}:${where.line})`}`;
}

function placeOfMatch({ subject, rule, index }: Pick<Candidate, 'subject' | 'rule' | 'index'>): string {
  return subject.resource.spec.rules?.[rule]?.matches === undefined
    ? `/spec/rules/${rule}`
    : `/spec/rules/${rule}/matches/${index}`;
}

function reportOverlap(loser: Candidate, message: string, host: AnalysisHost): void {
  host.report('TULLE0411', loser.subject, placeOfMatch(loser), message);
}

function reportShadow(
  subject: LocatedResource<RequestRoute>,
  rule: number,
  lost: ReadonlyMap<number, Candidate>,
  host: AnalysisHost,
): void {
  const { metadata, spec } = subject.resource;
  const total = spec.rules?.[rule]?.matches?.length ?? 1;
  const [index, winner] = [...lost][0] as [number, Candidate];
  const at = placeOfMatch({ subject, rule, index });
  const by = nameOf(winner);
  host.report(
    'TULLE0401',
    subject,
    at,
    lost.size === total
      ? `the rule is never used: ${by} matches the same requests and comes first`
      : `${lost.size} of the rule's ${total} matches are never used: ${by} comes first`,
  );
  const byName =
    winner.name !== `${metadata.namespace}/${metadata.name}` && createdMs(metadata) === winner.createdMs;
  if (byName) {
    host.report(
      'TULLE0402',
      subject,
      at,
      `${winner.name} comes before ${metadata.namespace}/${metadata.name} by name, since neither is older`,
      'give metadata.creationTimestamp to decide by age, or make the matches differ',
    );
  }
}

/** Equal for matches of which precedence prefers neither, whatever their conditions say. */
function rankOf({ path, grpc, method, headers = [], query = [] }: RouteMatch): string {
  return JSON.stringify([canonicalPath(path), grpc, method, headers.length, query.length]);
}

/** Equal for matches that take the same requests: conditions on headers and query have no order. */
function fingerprint(match: RouteMatch): string {
  const sorted = (list: readonly unknown[] | undefined): string[] =>
    (list ?? []).map((item) => JSON.stringify(item)).toSorted();
  return JSON.stringify([
    canonicalPath(match.path),
    match.grpc,
    match.method,
    sorted(match.headers),
    sorted(match.query),
  ]);
}

function canonicalPath(path: PathMatch): object {
  return path.kind === 'prefix' ? { kind: 'prefix', value: path.value.replace(/\/$/, '') } : path;
}
