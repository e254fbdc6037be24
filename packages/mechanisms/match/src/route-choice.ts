import type { ChoiceCondition, RouteChoice } from '@tulle/model';
import type { CompileContext } from './compile-context.ts';
import { RouteIndex, type RouteCandidate, type RouteTrial } from './route-index.ts';
import { compileRequestMatch } from './value-match.ts';
import type { MatchView } from './view.ts';

/** Finds the route of a request among those of one virtual host. */
export interface HostRoutes<Payload> {
  first(request: MatchView): RouteCandidate<Payload> | undefined;
  trials(request: MatchView): RouteTrial<Payload>[];
}

/** What is chosen for a request; `undefined`: nothing. */
type Chooser<Payload> = (request: MatchView) => RouteIndex<Payload> | undefined;

/** The routes of a virtual host that chooses among them. @param path JSON pointer of the choice */
export function compileChoice<Payload>(
  choice: RouteChoice,
  candidates: readonly RouteCandidate<Payload>[],
  context: CompileContext,
  path: string,
): HostRoutes<Payload> {
  const chooser = chooserOf(choice, candidates, context, path);
  return {
    first: (request) => chooser(request)?.first(request),
    trials: (request) => chooser(request)?.trials(request) ?? [],
  };
}

function chooserOf<Payload>(
  choice: RouteChoice,
  candidates: readonly RouteCandidate<Payload>[],
  context: CompileContext,
  path: string,
): Chooser<Payload> {
  switch (choice.kind) {
    case 'routes': {
      const index = new RouteIndex(
        choice.routes.flatMap((place, at) => {
          const candidate = candidates[place];
          if (candidate === undefined)
            context.issue(`${path}/routes/${at}`, `there is no route at place ${place}`);
          return candidate === undefined ? [] : [{ ...candidate, index: at }];
        }),
      );
      return () => index;
    }
    case 'list': {
      const parts = choice.of.map(({ when, choose }, at) => ({
        holds: compileCondition(when, context, `${path}/of/${at}/when`),
        choose: chooserOf(choose, candidates, context, `${path}/of/${at}/choose`),
      }));
      const otherwise = otherwiseOf(choice.otherwise, candidates, context, path);
      return (request) => {
        for (const { holds, choose } of parts) {
          const chosen = holds(request) ? choose(request) : undefined;
          if (chosen !== undefined) return chosen;
        }
        return otherwise(request);
      };
    }
    case 'exact':
    case 'prefix':
      return mapChooser(choice, candidates, context, path);
  }
}

function mapChooser<Payload>(
  { kind, header, values, otherwise: given }: Extract<RouteChoice, { kind: 'exact' | 'prefix' }>,
  candidates: readonly RouteCandidate<Payload>[],
  context: CompileContext,
  path: string,
): Chooser<Payload> {
  // The longest first. Each is a condition of its own, so that lines of one field are looked at one by one.
  const parts = Object.entries(values)
    .toSorted(([a], [b]) => b.length - a.length)
    .map(([value, choose]) => ({
      holds: compileRequestMatch({ name: header, match: { kind, value } }, context, `${path}/header`),
      choose: chooserOf(
        choose,
        candidates,
        context,
        `${path}/values/${value.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      ),
    }));
  const otherwise = otherwiseOf(given, candidates, context, path);
  return (request) => {
    for (const { holds, choose } of parts) {
      const chosen = holds(request) ? choose(request) : undefined;
      if (chosen !== undefined) return chosen;
    }
    return otherwise(request);
  };
}

function otherwiseOf<Payload>(
  otherwise: RouteChoice | undefined,
  candidates: readonly RouteCandidate<Payload>[],
  context: CompileContext,
  path: string,
): Chooser<Payload> {
  return otherwise === undefined
    ? () => undefined
    : chooserOf(otherwise, candidates, context, `${path}/otherwise`);
}

function compileCondition(
  condition: ChoiceCondition,
  context: CompileContext,
  path: string,
): (request: MatchView) => boolean {
  switch (condition.kind) {
    case 'header':
      return compileRequestMatch(condition.header, context, `${path}/header`);
    case 'not': {
      const test = compileCondition(condition.of, context, `${path}/of`);
      return (request) => !test(request);
    }
    case 'all':
    case 'any': {
      const tests = condition.of.map((one, at) => compileCondition(one, context, `${path}/of/${at}`));
      return condition.kind === 'all'
        ? (request) => tests.every((test) => test(request))
        : (request) => tests.some((test) => test(request));
    }
  }
}

/** Whether it has a pattern. */
export function choosesByRegex(choice: RouteChoice | undefined): boolean {
  if (choice === undefined || choice.kind === 'routes') return false;
  const parts = choice.kind === 'list' ? choice.of.map(({ choose }) => choose) : Object.values(choice.values);
  return (
    parts.some(choosesByRegex) ||
    choosesByRegex(choice.otherwise) ||
    (choice.kind === 'list' && choice.of.some(({ when }) => hasRegex(when)))
  );
}

function hasRegex(condition: ChoiceCondition): boolean {
  if (condition.kind === 'header') return condition.header.match.kind === 'regex';
  return condition.kind === 'not' ? hasRegex(condition.of) : condition.of.some(hasRegex);
}
