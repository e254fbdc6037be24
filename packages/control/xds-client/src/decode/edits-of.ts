import type { RouteHeaderEdits } from '@tulle/model';
import type { HeaderValueOption } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { DecodeContext } from './context.ts';
import { decodeRouteEdits } from './header-edits.ts';
import { present } from './values.ts';

/** The fields by which a backend, a route, a virtual host or a configuration edits headers. */
interface WithEdits {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

/** @param path of the message that has them, `''` for a resource */
export function decodeEditsOf(
  context: DecodeContext,
  { requestHeadersToAdd, requestHeadersToRemove, responseHeadersToAdd, responseHeadersToRemove }: WithEdits,
  path: string,
): { readonly requestHeaders?: RouteHeaderEdits; readonly responseHeaders?: RouteHeaderEdits } {
  const base = path === '' ? '' : `${path}.`;
  return present({
    requestHeaders: decodeRouteEdits(
      context,
      requestHeadersToAdd,
      requestHeadersToRemove,
      `${base}request_headers_to_add`,
    ),
    responseHeaders: decodeRouteEdits(
      context,
      responseHeadersToAdd,
      responseHeadersToRemove,
      `${base}response_headers_to_add`,
    ),
  }) as { readonly requestHeaders?: RouteHeaderEdits; readonly responseHeaders?: RouteHeaderEdits };
}
