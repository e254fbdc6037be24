import type {
  Cluster,
  ForwardAction,
  Forwarding,
  HttpHandler,
  Listener,
  Mirror,
  Route,
  RouteConfig,
  UpstreamTls,
  VirtualHost,
} from '@tulle/model';

/** What this control plane has no resources for, so that nothing that it sends has it; and why. */
const NOT_SENT = {
  onDemand: 'this control plane has nothing that is looked for on demand',
  discoversHosts: 'this control plane sends routes with all their virtual hosts',
  scopes: 'this control plane gives each listener one route configuration',
  ignoresPathParameters: 'this control plane matches paths whole',
  hostHeader: 'this control plane has virtual hosts found by the host that is asked for',
  splitByHash: 'this control plane has chance split requests, or a field',
  tellsTimeoutRetry: 'this control plane tells endpoints nothing of earlier attempts',
  choice: 'this control plane orders the routes of a virtual host',
  earlyEdits: 'this control plane edits fields by routes and filters',
  newPriorityEvery: 'this control plane lets retries go where the balancer leads them',
  avoidOnRetry: 'this control plane lets retries go where the balancer leads them',
  internalRedirect: 'this control plane lets redirects go to who called',
  virtualClusters: 'this control plane counts requests by routes and services',
} as const;

/** The same of listeners. */
const NOT_SENT_OF_LISTENERS = {
  chainChoice: 'this control plane says of each chain what it matches',
  defaultChain: 'this control plane says of each chain what it matches',
  handsOver: 'this control plane has captured connections served where they come in',
  unbound: 'this control plane has captured connections served where they come in',
  unlookedPorts: 'this control plane says of each chain what it matches',
  ignoresConnectionLimit: 'this control plane bounds all listeners alike',
  bypassesOverload: 'this control plane says of routes which are to be kept when load is shed',
  tcpKeepalive: 'this control plane bounds how long connections may be silent by the timeouts of handlers',
} as const;

/** The same of TLS towards endpoints. */
const NOT_SENT_OF_TLS = {
  serverNameFromHost: 'this control plane names the server of a cluster, or has requests name it',
} as const;

/** The same of routes. */
const NOT_SENT_OF_ROUTES = {
  statPrefix: 'this control plane counts requests by routes and services',
  decorator: 'this control plane names routes so that they tell what they are for',
  metadata: 'this control plane names routes so that they tell what they are for',
  tracing: 'this control plane has the traces of all routes of a handler sampled alike',
} as const;

/** The same of forwarding. */
const NOT_SENT_OF_FORWARDING = {
  scheme: 'this control plane lets requests have the scheme that they came by',
  node: 'this control plane has proxies prove who they are',
  detection: 'this control plane lets callers be found by x-forwarded-for',
} as const;

/** The same of clusters. */
const NOT_SENT_OF_CLUSTERS = {
  retry: 'this control plane says of routes what is tried again',
  mirrors: 'this control plane says of routes what is copied',
  failedAnswers: 'this control plane goes by the status of answers',
} as const;

/** The same of mirrors. */
const NOT_SENT_OF_MIRRORS = {
  host: 'this control plane lets copies say the host of their requests',
  edits: 'this control plane lets copies be as their requests are',
} as const;

type Part = HttpHandler | ForwardAction | RouteConfig | VirtualHost;

/**
 * Fields that a proxy takes from other control planes.
 * @throws Error where a resource would have one: it is not left out in silence
 */
export function refuseNotSent(part: Part): void {
  refuse(part, NOT_SENT);
}

/** @throws Error likewise */
export function refuseNotSentOfListener(listener: Listener): void {
  refuse(listener, NOT_SENT_OF_LISTENERS);
}

/** @throws Error likewise */
export function refuseNotSentOfTls(tls: UpstreamTls): void {
  refuse(tls, NOT_SENT_OF_TLS);
}

/** @throws Error likewise */
export function refuseNotSentOfRoute(route: Route): void {
  refuse(route, NOT_SENT_OF_ROUTES);
  const why = 'this control plane chooses routes by the request alone';
  refuse(route.match, { metadata: why, filterState: why });
}

/** @throws Error likewise */
export function refuseNotSentOfForwarding(forwarding: Forwarding): void {
  refuse(forwarding, NOT_SENT_OF_FORWARDING);
}

/** @throws Error likewise */
export function refuseNotSentOfCluster(cluster: Cluster): void {
  refuse(cluster, NOT_SENT_OF_CLUSTERS);
}

/** @throws Error likewise */
export function refuseNotSentOfMirror(mirror: Mirror): void {
  refuse(mirror, NOT_SENT_OF_MIRRORS);
}

function refuse(
  part: Part | Listener | Route | Route['match'] | UpstreamTls | Forwarding | Mirror | Cluster,
  fields: Readonly<Record<string, string>>,
): void {
  for (const [field, why] of Object.entries(fields)) {
    const value = (part as unknown as Readonly<Record<string, unknown>>)[field];
    if (value !== undefined && value !== false) throw new Error(`${field} is not sent: ${why}`);
  }
}
