import { attachToGateway } from '../gateway/attach.ts';
import { everyParent, usesDefaultGateways } from '../gateway/default.ts';
import type { ParentRef } from '../kinds/http-route.ts';
import type { LocatedResource } from '../resource.ts';
import { parentRefsOf, type AnyRoute } from '../routes.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { analyzeGatewayParent, servedParent } from './gateway-parents.ts';

const DEFAULTED = '/spec/useDefaultGateways';

/** Parents of a route with where they are said: those that it names, and the default Gateways that it asks for. */
export function placedParents(
  route: AnyRoute,
  host: AnalysisHost,
): readonly (readonly [parent: ParentRef, at: string])[] {
  const named = parentRefsOf(route).length;
  return everyParent(route, host.set.all('Gateway')).map((parent, i) => [
    parent,
    i < named ? `/spec/parentRefs/${i}` : DEFAULTED,
  ]);
}

/** Routes that attach nowhere as they name no parent, or by default Gateways of which none takes them. */
export function analyzeUnnamedParents(subject: LocatedResource<AnyRoute>, host: AnalysisHost): void {
  const route = subject.resource;
  if (!usesDefaultGateways(route)) {
    if (parentRefsOf(route).length === 0)
      host.report(
        'TULLE0418',
        subject,
        '/spec',
        'the route names no parent, so it attaches to nothing',
        'name what it is for in parentRefs, or say useDefaultGateways: All',
      );
    return;
  }
  const unnamed = placedParents(route, host).filter(([, at]) => at === DEFAULTED);
  // Where it names the one default Gateway itself, that is said of the parentRef.
  if (unnamed.length === 0) {
    const [named] = parentRefsOf(route);
    if (named === undefined)
      host.report(
        'TULLE0418',
        subject,
        DEFAULTED,
        'there is no default Gateway, so the route attaches to nothing',
        'set defaultScope: All on a Gateway, or name what the route is for in parentRefs',
      );
    return;
  }
  const isTaken = unnamed.some(([parent]) => {
    const merged = servedParent(route, parent, host);
    return merged !== undefined && attachToGateway(merged, route, parent).problem === undefined;
  });
  if (!isTaken) for (const [parent, at] of unnamed) analyzeGatewayParent(parent, subject, at, host);
}
