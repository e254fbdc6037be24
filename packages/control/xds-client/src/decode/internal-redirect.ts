import { isMessage } from '@bufbuild/protobuf';
import type { InternalRedirect } from '@tulle/model';
import type { InternalRedirectPolicy } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { AllowListedRoutesConfigSchema } from '@tulle/xds-proto/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config';
import { PreviousRoutesConfigSchema } from '@tulle/xds-proto/envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config';
import { SafeCrossSchemeConfigSchema } from '@tulle/xds-proto/envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

const STATUSES = [301, 302, 303, 307, 308] as const;
/** Envoy takes five. */
const MAX_STATUSES = 5;

/** Which answers of endpoints are followed. @param path of the policy */
export function decodeInternalRedirect(
  context: DecodeContext,
  policy: InternalRedirectPolicy | undefined,
  path: string,
): InternalRedirect | undefined {
  if (policy === undefined) return undefined;
  const { redirectResponseCodes: codes } = policy;
  if (codes.length > MAX_STATUSES)
    context.refuse(`${path}.redirect_response_codes`, `must be ${MAX_STATUSES} at most`);
  const { safe, ...predicates } = decodePredicates(context, policy, path);
  return present({
    max: policy.maxInternalRedirects,
    // Envoy reads over what is no status of a redirect.
    statuses: codes.length === 0 ? undefined : STATUSES.filter((status) => codes.includes(status)),
    schemes: policy.allowCrossSchemeRedirect ? (safe ? ('safe' as const) : ('any' as const)) : undefined,
    ...predicates,
    copyHeaders: filled(policy.responseHeadersToCopy.map((name) => name.toLowerCase())),
  });
}

/** All of them must hold. */
function decodePredicates(
  context: DecodeContext,
  { predicates }: InternalRedirectPolicy,
  path: string,
): Pick<InternalRedirect, 'routes' | 'newRoutes'> & { readonly safe: boolean } {
  let routes: readonly string[] | undefined;
  let newRoutes: true | undefined;
  let safe = false;
  for (const [index, { typedConfig }] of predicates.entries()) {
    const here = `${path}.predicates[${index}].typed_config`;
    const message = context.open(typedConfig, here);
    if (message === undefined) continue;
    if (isMessage(message, AllowListedRoutesConfigSchema))
      routes = message.allowedRouteNames.filter((name) => routes?.includes(name) ?? true);
    else if (isMessage(message, PreviousRoutesConfigSchema)) newRoutes = true;
    else if (isMessage(message, SafeCrossSchemeConfigSchema)) safe = true;
    else
      context.refuse(
        here,
        `must be an AllowListedRoutesConfig, PreviousRoutesConfig or SafeCrossSchemeConfig, not ${message.$typeName}`,
      );
  }
  return present({ routes, newRoutes, safe });
}
