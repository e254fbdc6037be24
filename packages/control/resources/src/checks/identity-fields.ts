import { claimsIdentity, HEADERS_FILTER, JWT_FILTER } from '@tulle/model';
import type { FilterPolicy } from '../kinds/filter-policy.ts';
import type { HTTPHeaderFilter } from '../kinds/http-route.ts';
import type { CheckHost } from './check-host.ts';

/**
 * Reports edits of fields that say who called: sidecars believe them of a gateway, so that whoever may write a route could
 * name any caller, or hide one.
 * @param at pointer to the edits
 */
export function checkIdentityEdits(edits: HTTPHeaderFilter, at: string, host: CheckHost): void {
  for (const list of ['set', 'add'] as const)
    for (const [i, { name }] of (edits[list] ?? []).entries())
      checkIdentityField(name, `${at}/${list}/${i}/name`, host);
  for (const [i, name] of (edits.remove ?? []).entries()) checkIdentityField(name, `${at}/remove/${i}`, host);
}

/** Reports header fields of a filter at a Gateway, or at a route that may be a Gateway's, that say who called. */
export function checkIdentityConfig({ spec }: FilterPolicy, host: CheckHost): void {
  if (spec.targetRefs?.some(({ kind }) => kind !== 'Service') !== true) return;
  const config = spec.config ?? {};
  if (spec.filter === HEADERS_FILTER) {
    const { request } = config as { readonly request?: HTTPHeaderFilter };
    if (request !== undefined) checkIdentityEdits(request, '/spec/config/request', host);
  }
  if (spec.filter !== JWT_FILTER) return;
  const { providers = [] } = config as { readonly providers?: readonly TokenProvider[] };
  for (const [i, { claimsToHeaders = [], payloadHeader }] of providers.entries()) {
    const at = `/spec/config/providers/${i}`;
    for (const [j, { header }] of claimsToHeaders.entries())
      checkIdentityField(header, `${at}/claimsToHeaders/${j}/header`, host);
    if (payloadHeader !== undefined) checkIdentityField(payloadHeader, `${at}/payloadHeader`, host);
  }
}

interface TokenProvider {
  readonly claimsToHeaders?: readonly { readonly header: string }[];
  readonly payloadHeader?: string;
}

function checkIdentityField(name: string, pointer: string, host: CheckHost): void {
  if (!claimsIdentity(name.toLowerCase())) return;
  host.report(
    'TULLE0205',
    pointer,
    `${name} says who called, which the gateway itself says and sidecars believe; a configuration cannot edit it`,
    'remove it, or take a name of your own that does not begin with x-forwarded, x-envoy- or x-tulle-',
  );
}
