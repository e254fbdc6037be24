import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorCode } from '@tulle/filter';

/** Why a request is not served. */
export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint?: string;
}

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
/** What says nothing that others on the machine should not know, and must answer without a secret. */
const OPEN_PATHS = new Set(['/healthz', '/readyz', '/metrics', '/openapi.json']);
const BODY_TYPES =
  /^(?:application\/(?:json|yaml|x-yaml|(?:[\w.-]+\+)(?:json|yaml))|text\/(?:yaml|x-yaml))\s*(?:;|$)/i;

/**
 * Who may call the API. A web page in a browser on this machine can reach loopback too: it is known by its `Origin`, by
 * `Sec-Fetch-Site` (Fetch Metadata), or, when it made its own name resolve to 127.0.0.1, by `Host`; and without asking
 * first it can send only bodies of types that are not taken here.
 */
export function refusalOf(
  request: { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders },
  secret: string | undefined,
): Refusal | undefined {
  const { headers } = request;
  const host = headers.host ?? '';
  if (host !== '' && !LOOPBACK.test(host))
    return {
      status: 403,
      code: 'TULLE_API_HOST',
      detail: `the host ${JSON.stringify(host)} is not served here`,
      hint: 'use localhost',
    };
  const { origin } = headers;
  if (origin !== undefined && !LOOPBACK.test(origin.replace(/^https?:\/\//, '')))
    return foreign(`the origin ${JSON.stringify(origin)}`);
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return foreign(`a ${String(site)} page`);
  if (!OPEN_PATHS.has(request.url.split('?', 1)[0] as string) && !showsSecret(headers.authorization, secret))
    return {
      status: 401,
      code: 'TULLE_API_SECRET',
      detail: headers.authorization === undefined ? 'no secret was shown' : 'another secret was shown',
      hint: 'send Authorization: Bearer with the apiSecret of control-plane.json, which only its user can read',
    };
  const type = headers['content-type'];
  if (type !== undefined && !BODY_TYPES.test(type))
    return {
      status: 415,
      code: 'TULLE_API_TYPE',
      detail: `bodies of type ${JSON.stringify(type)} are not taken`,
      hint: 'send application/json or application/yaml',
    };
  return undefined;
}

function foreign(who: string): Refusal {
  return { status: 403, code: 'TULLE_API_ORIGIN', detail: `${who} may not call this API` };
}

/** Whether the header (`Bearer …`) shows the secret; the time that it takes tells nothing of it. */
export function showsSecret(authorization: string | undefined, secret: string | undefined): boolean {
  if (secret === undefined) return true;
  const shown = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(shown), digest(secret));
}
