import type { RequestHead, VerifiedToken } from '@tulle/filter';
import {
  compileHeaderMatch,
  CompileContext,
  compilePathMatch,
  compileQueryMatch,
  testPath,
  type RegexEngine,
} from '@tulle/match';
import type { JwtFilterConfig, JwtRequirement, JwtRule } from '@tulle/model';
import { compileLocation, type Location } from './locations.ts';
import { compileRequirement } from './requirement.ts';

/** A place where tokens are looked for, and whose tokens may stand there. */
export interface Place {
  readonly location: Location;
  /** Indices of providers. */
  readonly providers: readonly number[];
}

/** What requests have to show, compiled. */
export interface Demand {
  readonly places: readonly Place[];
  /** Whether a token that is no good counts as none. */
  readonly lenient: boolean;
  holds(tokens: readonly VerifiedToken[]): boolean;
}

/** Finds what a request has to show. */
export type DemandOf = (request: RequestHead) => Demand;

/** Whether compiling needs a regex engine. */
export function usesRegex(config: JwtFilterConfig): boolean {
  return (config.rules ?? []).some(
    ({ match }) =>
      match.path?.kind === 'regex' ||
      [...(match.headers ?? []), ...(match.query ?? [])].some((one) => one.match.kind === 'regex'),
  );
}

/** Compiles the demands of a configuration. @throws TulleError `TULLE_CONFIG_INVALID` with every issue */
export function compileDemands(config: JwtFilterConfig, regex: RegexEngine | undefined): DemandOf {
  const context = new CompileContext(regex);
  const names = config.providers.map(({ name }) => name);
  for (const [index, name] of names.entries())
    if (names.indexOf(name) !== index)
      context.issue(`/providers/${index}/name`, `${JSON.stringify(name)} names two providers`);
  const places = config.providers.map(({ from }) =>
    (from ?? [{ header: 'authorization' }]).map(compileLocation),
  );
  const demand = (requirement: JwtRequirement, path: string): Demand => {
    const { providers, lenient, holds } = compileRequirement(requirement, names, context, path);
    const byKey = new Map<string, { location: Location; providers: number[] }>();
    for (const [index, name] of names.entries()) {
      if (!providers.includes(name)) continue;
      for (const location of places[index] ?? []) {
        const place = byKey.get(location.key) ?? { location, providers: [] };
        place.providers.push(index);
        byKey.set(location.key, place);
      }
    }
    return { places: [...byKey.values()], lenient, holds };
  };
  const rules = (config.rules ?? []).map((rule, index) => ({
    matches: compileMatch(rule.match, context, `/rules/${index}/match`),
    demand: demand(rule.requires, `/rules/${index}/requires`),
  }));
  const otherwise = demand(config.requires ?? { any: names.map((provider) => ({ provider })) }, '/requires');
  for (const [name, requires] of Object.entries(config.requirements ?? {}))
    demand(requires, `/requirements/${name}`);
  context.finish('token requirements');
  if (rules.length === 0) return () => otherwise;
  return (request) => {
    for (const rule of rules) if (rule.matches(request)) return rule.demand;
    return otherwise;
  };
}

function compileMatch(
  { path, method, headers = [], query = [] }: JwtRule['match'],
  context: CompileContext,
  at: string,
): (request: RequestHead) => boolean {
  const pathTest = path === undefined ? undefined : compilePathMatch(path, context, `${at}/path`);
  const headerTests = headers.map((header, index) =>
    compileHeaderMatch(header, context, `${at}/headers/${index}`),
  );
  const queryTests = query.map((one, index) => compileQueryMatch(one, context, `${at}/query/${index}`));
  return (request) =>
    (method === undefined || request.method === method) &&
    (pathTest === undefined || testPath(pathTest, request.path)) &&
    headerTests.every((test) => test(request.headers)) &&
    queryTests.every((test) => test(request.query));
}
