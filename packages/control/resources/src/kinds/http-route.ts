import { CORS_ORIGIN_PATTERN, type JsonSchema } from '@tulle/model';
import { defaultScope, type DefaultScope } from './default-scope.ts';
import { externalAuthFilter, type HTTPExternalAuthFilter } from './external-auth.ts';
import type { Metadata } from './metadata.ts';
import { sessionPersistenceSchema, type SessionPersistence } from './session-persistence.ts';
import {
  dnsLabel,
  dnsSubdomain,
  duration,
  groupOf,
  hostname,
  hostnameOrWildcard,
  integer,
  kindOf,
  list,
  object,
  oneOf,
  port,
  resourceSchema,
  text,
  truth,
} from './schema-parts.ts';

/** Routes requests that come in at a Gateway, or requests of a Service (Gateway API v1 HTTPRoute; GEP-1294 for Services). */
export interface HTTPRoute {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'HTTPRoute';
  readonly metadata: Metadata;
  readonly spec: HTTPRouteSpec;
}

/** What routes of every kind say of where they attach. */
export interface CommonRouteSpec {
  /** Absent or empty: nowhere, but for default Gateways. */
  readonly parentRefs?: readonly ParentRef[];
  /** Whether it attaches to default Gateways as well (GEP-3793). Default `None`. */
  readonly useDefaultGateways?: DefaultScope;
}

export interface HTTPRouteSpec extends CommonRouteSpec {
  readonly hostnames?: readonly string[];
  /** Absent: one rule that matches everything and has no backend. */
  readonly rules?: readonly HTTPRouteRule[];
}

/** A Gateway (the default, as in Gateway API), a ListenerSet of one, or a Service. */
export interface ParentRef {
  /** Default `gateway.networking.k8s.io`; `''` for a Service. */
  readonly group?: string;
  /** Default `Gateway`. */
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  /** Only listeners, or the Service's port, of this number. */
  readonly port?: number;
  /** Only the listener, or the Service's port, of this name. */
  readonly sectionName?: string;
}

/** What a route may be attached to; `other` is what another implementation attaches it to. */
export type ParentKind = 'Gateway' | 'ListenerSet' | 'Service' | 'other';

/** Group of the Gateway API, and the core group: those of parents that Tulle has. */
const PARENT_GROUPS: readonly string[] = ['gateway.networking.k8s.io', ''];

/** What a parentRef means. That a kind has the group which is its own is checked when it is read. */
export function parentKind({ group = 'gateway.networking.k8s.io', kind = 'Gateway' }: ParentRef): ParentKind {
  if (!PARENT_GROUPS.includes(group)) return 'other';
  return kind === 'Gateway' || kind === 'ListenerSet' || kind === 'Service' ? kind : 'other';
}

export interface HTTPRouteRule {
  readonly name?: string;
  /** Absent: every request. */
  readonly matches?: readonly HTTPRouteMatch[];
  readonly filters?: readonly HTTPRouteFilter[];
  readonly backendRefs?: readonly HTTPBackendRef[];
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string };
  readonly retry?: {
    readonly codes?: readonly number[];
    readonly attempts?: number;
    readonly backoff?: string;
  };
  readonly sessionPersistence?: SessionPersistence;
}

export interface HTTPRouteMatch {
  readonly path?: { readonly type?: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value?: string };
  readonly headers?: readonly HTTPValueMatch[];
  readonly queryParams?: readonly HTTPValueMatch[];
  readonly method?: string;
}

export interface HTTPValueMatch {
  readonly type?: 'Exact' | 'RegularExpression';
  readonly name: string;
  readonly value: string;
}

export type HTTPRouteFilter =
  | { readonly type: 'RequestHeaderModifier'; readonly requestHeaderModifier: HTTPHeaderFilter }
  | { readonly type: 'ResponseHeaderModifier'; readonly responseHeaderModifier: HTTPHeaderFilter }
  | { readonly type: 'RequestRedirect'; readonly requestRedirect: HTTPRequestRedirect }
  | { readonly type: 'URLRewrite'; readonly urlRewrite: HTTPURLRewrite }
  | { readonly type: 'RequestMirror'; readonly requestMirror: HTTPRequestMirror }
  | { readonly type: 'CORS'; readonly cors: HTTPCORSFilter }
  | { readonly type: 'ExternalAuth'; readonly externalAuth: HTTPExternalAuthFilter }
  | { readonly type: 'ExtensionRef'; readonly extensionRef: LocalObjectReference };

/** A resource of the route's namespace (Gateway API `LocalObjectReference`). */
export interface LocalObjectReference {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

/** Which pages of other origins may use what the rule leads to (Gateway API HTTPCORSFilter, GEP-1767). */
export interface HTTPCORSFilter {
  readonly allowOrigins?: readonly string[];
  readonly allowCredentials?: boolean;
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  /** Seconds. Default 5. */
  readonly maxAge?: number;
}

export interface HTTPHeaderFilter {
  readonly set?: readonly { readonly name: string; readonly value: string }[];
  readonly add?: readonly { readonly name: string; readonly value: string }[];
  readonly remove?: readonly string[];
}

export interface HTTPRequestRedirect {
  readonly scheme?: 'http' | 'https';
  readonly hostname?: string;
  readonly path?: HTTPPathModifier;
  readonly port?: number;
  readonly statusCode?: 301 | 302 | 303 | 307 | 308;
}

export interface HTTPURLRewrite {
  readonly hostname?: string;
  readonly path?: HTTPPathModifier;
}

export type HTTPPathModifier =
  | { readonly type: 'ReplaceFullPath'; readonly replaceFullPath: string }
  | { readonly type: 'ReplacePrefixMatch'; readonly replacePrefixMatch: string };

/** A copy of each request, or of a share: `percent`, or `fraction` (Gateway API HTTPRequestMirrorFilter). */
export interface HTTPRequestMirror {
  readonly backendRef: Omit<HTTPBackendRef, 'weight' | 'filters'>;
  readonly percent?: number;
  readonly fraction?: { readonly numerator: number; readonly denominator?: number };
}

/**
 * A Service, or with kind `ServiceSubset` a part of one that a TrafficPolicy describes; see {@link backendTarget}. Others lead
 * nowhere, as status says.
 */
export interface HTTPBackendRef {
  readonly group?: string;
  readonly kind?: string;
  /** Of a subset: `service.subset`. */
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
  /** 0..1,000,000. Default 1. */
  readonly weight?: number;
  readonly filters?: readonly HTTPRouteFilter[];
}

/** `weight` limit of Gateway API. */
export const MAX_WEIGHT = 1_000_000;
/** Further attempts that are made of one request at most, whatever a rule asks for. */
export const MAX_RETRY_ATTEMPTS = 10;
/** Matches a rule may have (Gateway API). */
export const MAX_MATCHES = 64;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;
export const headerName: JsonSchema = text('Field name, in any case.', {
  minLength: 1,
  maxLength: 256,
  pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
});
const headerValue: JsonSchema = text('Field value.', {
  maxLength: 4096,
  pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$',
});
const absolutePath: JsonSchema = text('Path.', { maxLength: 1024, pattern: '^/[^\\x00-\\x20\\x7f?#]*$' });

const headerFilter: JsonSchema = object('Edits, in the order remove, set, add.', {
  set: list(
    'Replaces every line of the name.',
    object('A field.', { name: headerName, value: headerValue }, ['name', 'value']),
    0,
    16,
  ),
  add: list(
    'Adds a line.',
    object('A field.', { name: headerName, value: headerValue }, ['name', 'value']),
    0,
    16,
  ),
  remove: list('Removes every line of the name.', headerName, 0, 16),
});

const pathModifier: JsonSchema = object(
  'New path.',
  {
    type: oneOf('What is replaced.', ['ReplaceFullPath', 'ReplacePrefixMatch']),
    replaceFullPath: absolutePath,
    replacePrefixMatch: text('What stands for the matched prefix.', {
      maxLength: 1024,
      pattern: '^(/[^\\x00-\\x20\\x7f?#]*)?$',
    }),
  },
  ['type'],
);

/** What names a Service or a subset of one. */
export const backendFields: Readonly<Record<string, JsonSchema>> = {
  group: groupOf('Empty, the core group, for a Service; tulle.dev for a subset.'),
  kind: kindOf('Service (default) or ServiceSubset; others lead nowhere, and status says so (InvalidKind).'),
  name: dnsSubdomain(
    'Name of the Service; of a subset SERVICE.SUBSET, as a TrafficPolicy of that Service names it.',
  ),
  namespace: dnsLabel('Its namespace; another one needs a ReferenceGrant there.'),
  port: port('Its port. A Service, or a subset of one, needs it.'),
};

const mirrorFilter: JsonSchema = object(
  'Sends a copy of each request to another Service as well, and forgets it: its answer is not waited for, it is never sent again.',
  {
    backendRef: object('A Service, or a subset of one.', backendFields, ['name']),
    percent: integer('Share of the requests, percent. Default 100.', 0, 100),
    fraction: object(
      'Share of the requests, instead of percent.',
      {
        numerator: integer('Above the line.', 0, 2_147_483_647),
        denominator: integer('Below the line. Default 100.', 1, 2_147_483_647),
      },
      ['numerator'],
    ),
  },
  ['backendRef'],
);

const FILTER_TYPES = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'URLRewrite',
  'RequestMirror',
  'CORS',
  'ExternalAuth',
  'ExtensionRef',
] as const;
const filterFields: Readonly<Record<string, JsonSchema>> = {
  requestHeaderModifier: headerFilter,
  responseHeaderModifier: headerFilter,
  extensionRef: object(
    'A filter of another implementation. Tulle has none that is named so: what the filter is for is answered with 500, and status says so (InvalidKind). Attach filters with a FilterPolicy and targetRefs.',
    {
      group: groupOf('Group.'),
      kind: kindOf('Kind.'),
      name: text('Name.', { minLength: 1, maxLength: 253 }),
    },
    ['group', 'kind', 'name'],
  ),
};

const token: JsonSchema = text('A name, or *.', {
  minLength: 1,
  maxLength: 256,
  pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
});

const corsFilter: JsonSchema = object('Which pages of other origins may use what the rule leads to.', {
  allowOrigins: list(
    'Origins: https://shop.example, https://*.shop.example for every host below, or * for every origin.',
    text('Write scheme://host, with a port where it is not that of the scheme, https://*.host, or *.', {
      maxLength: 253,
      pattern: CORS_ORIGIN_PATTERN,
    }),
    1,
    64,
  ),
  allowCredentials: truth('Whether cookies and other credentials may be sent along. Default false.'),
  allowMethods: list('Methods beside GET, HEAD and POST; * for every one.', token, 0, 9),
  allowHeaders: list('Request fields that need permission; * for every one.', token, 0, 64),
  exposeHeaders: list('Response fields that scripts may read; * for every one.', token, 0, 64),
  maxAge: integer('How long a browser may remember the answer, seconds. Default 5.', 1, 2_147_483_647),
});

const redirectFilter: JsonSchema = object('Answers with a redirect.', {
  scheme: oneOf('New scheme.', ['http', 'https']),
  hostname,
  path: pathModifier,
  port: port('New port.'),
  statusCode: oneOf('Status. Default 302.', [301, 302, 303, 307, 308]),
});

const rewriteFilter: JsonSchema = object('Changes host or path before the request is sent on.', {
  hostname,
  path: pathModifier,
});

const filterBodies: Readonly<Record<string, JsonSchema>> = {
  ...filterFields,
  requestMirror: mirrorFilter,
  requestRedirect: redirectFilter,
  urlRewrite: rewriteFilter,
  cors: corsFilter,
  externalAuth: externalAuthFilter(backendFields),
};

/** `filters` of a rule. @param which types there are */
export const routeFilterSchema = (which: string): JsonSchema =>
  object('A step of the rule.', { type: oneOf(which, FILTER_TYPES), ...filterBodies }, ['type']);

const backendFilter: JsonSchema = object(
  "A step for this backend's share.",
  {
    type: oneOf(
      'Which step. RequestRedirect, URLRewrite, CORS and ExternalAuth are of HTTPRoutes: a GRPCRoute with one is not accepted, and status says so (UnsupportedValue).',
      FILTER_TYPES,
    ),
    ...filterBodies,
  },
  ['type'],
);

export const valueMatch = (what: string, name: JsonSchema): JsonSchema =>
  object(
    `A condition on a ${what}.`,
    {
      type: oneOf('How it is compared. Default Exact.', ['Exact', 'RegularExpression']),
      name,
      value: text('Value or RE2 pattern over the whole value.', { minLength: 1, maxLength: 4096 }),
    },
    ['name', 'value'],
  );

const parentRefs: JsonSchema = list(
  'Gateways, ListenerSets and Services whose requests are routed.',
  object(
    'A Gateway, a ListenerSet of one, or a Service.',
    {
      group: groupOf("Group of the kind. Default gateway.networking.k8s.io; '' for a Service."),
      kind: kindOf(
        'Gateway (default), ListenerSet or Service; parents of other kinds are left to their controllers.',
      ),
      name: dnsSubdomain('Its name.'),
      namespace: dnsLabel("Its namespace. Default: the route's."),
      port: port('Only this port.'),
      sectionName: dnsSubdomain('Only the listener, or the port of the Service, of this name.'),
    },
    ['name'],
  ),
  0,
  32,
);

/** Where routes of any kind attach. */
export const parentFields: Readonly<Record<string, JsonSchema>> = {
  parentRefs,
  useDefaultGateways: defaultScope(
    'All: it attaches to every Gateway whose defaultScope is All, as if it named each.',
  ),
};

/** `backendRefs` of any route's rule. */
export const backendRefsSchema: JsonSchema = list(
  'Where requests go, by weight.',
  object(
    'A Service, or a subset of one.',
    {
      ...backendFields,
      weight: integer('Share. Default 1; 0: none.', 0, MAX_WEIGHT),
      filters: list("Steps for this backend's share.", backendFilter, 0, 16),
    },
    ['name'],
  ),
  0,
  16,
);

export const httpRouteSchema: JsonSchema = resourceSchema(
  'gateway.networking.k8s.io/v1',
  'HTTPRoute',
  'Routes requests that come in at a Gateway, or requests of a Service.',
  dnsSubdomain('Name.'),
  {
    spec: object('What is routed where.', {
      ...parentFields,
      hostnames: list('Only requests for these hosts.', hostnameOrWildcard, 0, 16),
      rules: list(
        'Rules. Gateway API precedence decides which one wins, not their order.',
        object('A rule.', {
          name: dnsSubdomain('Name, shown in records and metrics.'),
          matches: list(
            'Any of these; none: every request.',
            object('All of these.', {
              path: object('Condition on the path. Default: prefix /.', {
                type: oneOf('How it is compared. Default PathPrefix.', [
                  'Exact',
                  'PathPrefix',
                  'RegularExpression',
                ]),
                value: text('Path or RE2 pattern. Default /.', { maxLength: 1024 }),
              }),
              headers: list('Conditions on headers.', valueMatch('header', headerName), 0, 16),
              queryParams: list(
                'Conditions on query parameters.',
                valueMatch('query parameter', text('Name.', { minLength: 1, maxLength: 256 })),
                0,
                16,
              ),
              method: oneOf('Method.', METHODS),
            }),
            0,
            MAX_MATCHES,
          ),
          filters: list('Steps.', routeFilterSchema('Which step.'), 0, 16),
          backendRefs: backendRefsSchema,
          timeouts: object('Time limits; 0s switches one off.', {
            request: duration('For the request, all its attempts included.'),
            backendRequest: duration('For one attempt; at most request.'),
          }),
          retry: object('Attempts after a failure.', {
            codes: list(
              'Statuses worth another attempt, for idempotent requests.',
              integer('Status.', 400, 599),
              0,
              200,
            ),
            attempts: integer(
              `Further attempts. Default 2. Of more than ${MAX_RETRY_ATTEMPTS} that many are made, and status says so (tulle.dev/RetriesHonoured).`,
              1,
              2_147_483_647,
            ),
            backoff: duration('Least time between attempts.'),
          }),
          sessionPersistence: sessionPersistenceSchema,
        }),
        0,
        16,
      ),
    }),
  },
  ['spec'],
);
