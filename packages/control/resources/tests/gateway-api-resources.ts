/** A resource of the Gateway API. */
export interface GatewayApiResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: object;
  readonly spec: object;
}

const made = (
  kind: string,
  spec: object,
  apiVersion = 'gateway.networking.k8s.io/v1',
): GatewayApiResource => ({ apiVersion, kind, metadata: { name: 'r' }, spec });

const route = (kind: string, rules: readonly object[], more: object = {}): GatewayApiResource =>
  made(kind, { parentRefs: [{ name: 'edge' }], ...more, rules });

const SERVICE = { group: '', kind: 'Service', name: 'a', namespace: 'b', port: 80 };
const FOREIGN = { group: 'a.example', kind: 'Thing', name: 'a', namespace: 'b', port: 80 };
const EDITS = { set: [{ name: 'a', value: 'b' }], add: [{ name: 'c', value: 'd' }], remove: ['e'] };
const MIRROR = {
  type: 'RequestMirror',
  requestMirror: { backendRef: SERVICE, fraction: { numerator: 1, denominator: 2 } },
};
const EXTENSION = { type: 'ExtensionRef', extensionRef: { group: 'a.example', kind: 'Waf', name: 'w' } };

/** Filters of GRPCRoutes; HTTPRoutes have them as well. */
const COMMON = [
  { type: 'RequestHeaderModifier', requestHeaderModifier: EDITS },
  { type: 'ResponseHeaderModifier', responseHeaderModifier: EDITS },
  MIRROR,
  { type: 'RequestMirror', requestMirror: { backendRef: FOREIGN, percent: 1 } },
  EXTENSION,
];

const PATHS = [
  { type: 'ReplaceFullPath', replaceFullPath: '/a' },
  { type: 'ReplacePrefixMatch', replacePrefixMatch: '/b' },
];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

const cors = (allowMethods: readonly string[]): object => ({
  type: 'CORS',
  cors: {
    allowOrigins: ['https://a.example'],
    allowCredentials: true,
    allowMethods,
    allowHeaders: ['x-a'],
    exposeHeaders: ['x-b'],
    maxAge: 1,
  },
});

const auth = (protocol: object): object => ({
  type: 'ExternalAuth',
  externalAuth: { backendRef: SERVICE, forwardBody: { maxSize: 1 }, ...protocol },
});

/** Steps of HTTPRoutes that go together, one list a rule or backend. */
const STEPS: readonly (readonly object[])[] = [
  [
    ...COMMON,
    cors(METHODS),
    auth({ protocol: 'HTTP', http: { path: '/a', allowedHeaders: ['a'], allowedResponseHeaders: ['b'] } }),
  ],
  [cors(['*']), auth({ protocol: 'GRPC', grpc: { allowedHeaders: ['a'] } })],
  ...PATHS.map((path) => [{ type: 'URLRewrite', urlRewrite: { hostname: 'a.example', path } }]),
];

const REDIRECTS = [301, 302, 303, 307, 308].map((statusCode, i) => [
  {
    type: 'RequestRedirect',
    requestRedirect: {
      scheme: i === 0 ? 'http' : 'https',
      hostname: 'a.example',
      path: PATHS[i % 2],
      port: 80,
      statusCode,
    },
  },
]);

const MATCHES = ['Exact', 'PathPrefix', 'RegularExpression'].map((type) => ({ path: { type, value: '/a' } }));
const VALUES = [
  { type: 'Exact', name: 'a', value: 'b' },
  { type: 'RegularExpression', name: 'c', value: 'd' },
];

const sessions = [
  {
    sessionName: 'a',
    idleTimeout: '1m',
    absoluteTimeout: '1h',
    type: 'Cookie',
    cookieConfig: { lifetimeType: 'Permanent' },
  },
  { type: 'Cookie', cookieConfig: { lifetimeType: 'Session' } },
  { type: 'Header' },
];

const PREFIX = [{ path: { type: 'PathPrefix', value: '/a' } }];

const PARENTS = [
  {
    group: 'gateway.networking.k8s.io',
    kind: 'Gateway',
    name: 'edge',
    namespace: 'b',
    sectionName: 'a',
    port: 80,
  },
  { group: '', kind: 'Service', name: 'a' },
  { group: 'a.example', kind: 'Thing', name: 'a' },
];

const HTTP_ROUTES = [
  route(
    'HTTPRoute',
    [
      {
        name: 'a',
        matches: [
          ...MATCHES,
          ...METHODS.map((method) => ({ method })),
          { headers: VALUES, queryParams: VALUES },
        ],
        backendRefs: [{ ...SERVICE, weight: 1 }, FOREIGN],
        timeouts: { request: '2s', backendRequest: '1s' },
        retry: { codes: [500], attempts: 1, backoff: '1s' },
      },
      ...sessions.map((sessionPersistence) => ({ sessionPersistence })),
    ],
    { parentRefs: PARENTS, hostnames: ['a.example', '*.b.example'] },
  ),
  ...[...STEPS, ...REDIRECTS].map((filters) => route('HTTPRoute', [{ matches: PREFIX, filters }])),
  ...[...STEPS, ...REDIRECTS].map((filters) =>
    route('HTTPRoute', [{ matches: PREFIX, backendRefs: [{ ...SERVICE, filters }] }]),
  ),
];

const GRPC_ROUTES = [
  route(
    'GRPCRoute',
    [
      {
        name: 'a',
        matches: [
          { method: { type: 'Exact', service: 'a.B', method: 'C' }, headers: VALUES },
          { method: { type: 'RegularExpression', service: 'a', method: 'b' } },
        ],
        filters: COMMON,
        backendRefs: [{ ...SERVICE, weight: 1, filters: COMMON }, FOREIGN],
      },
      ...sessions.map((sessionPersistence) => ({ sessionPersistence })),
    ],
    { parentRefs: PARENTS, hostnames: ['a.example'] },
  ),
];

const CONNECTION_ROUTES = ['TLSRoute', 'TCPRoute', 'UDPRoute'].map((kind) =>
  route(kind, [{ name: 'a', backendRefs: [{ ...SERVICE, weight: 1 }, FOREIGN] }], {
    parentRefs: PARENTS,
    ...(kind === 'TLSRoute' && { hostnames: ['a.example'] }),
  }),
);

const NAMESPACES = [
  ...['All', 'Same', 'None'].map((from) => ({ from })),
  {
    from: 'Selector',
    selector: {
      matchLabels: { 'kubernetes.io/metadata.name': 'a', team: 'b' },
      matchExpressions: [
        { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['a'] },
        { key: 'team', operator: 'NotIn', values: ['a'] },
        { key: 'team', operator: 'Exists' },
        { key: 'team', operator: 'DoesNotExist' },
      ],
    },
  },
];

const LISTENERS = [
  ...NAMESPACES.map((namespaces, i) => ({
    name: `a${i}`,
    port: 8000 + i,
    protocol: 'HTTP',
    hostname: 'a.example',
    allowedRoutes: { namespaces, kinds: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute' }] },
  })),
  {
    name: 'b',
    port: 443,
    protocol: 'HTTPS',
    tls: {
      mode: 'Terminate',
      certificateRefs: [{ group: 'a.example', kind: 'Thing', name: 'a', namespace: 'b' }],
      options: { 'tulle.dev/min-version': 'TLSv1.2' },
    },
  },
  { name: 'c', port: 8443, protocol: 'TLS', hostname: 'a.example', tls: { mode: 'Passthrough' } },
];

const validation = (mode: string): object => ({
  validation: {
    caCertificateRefs: [{ group: 'a.example', kind: 'Thing', name: 'a', namespace: 'b' }],
    mode,
  },
});

const GATEWAYS = NAMESPACES.map((namespaces, i) =>
  made('Gateway', {
    gatewayClassName: 'tulle',
    listeners: LISTENERS,
    addresses: [{ type: 'IPAddress', value: '192.0.2.1' }],
    infrastructure: {
      labels: { a: 'b' },
      annotations: { a: 'b' },
      parametersRef: { group: 'a.example', kind: 'Thing', name: 'a' },
    },
    allowedListeners: { namespaces },
    defaultScope: i === 0 ? 'All' : 'None',
    tls: {
      backend: { clientCertificateRef: { group: '', kind: 'Secret', name: 'a', namespace: 'b' } },
      frontend: {
        default: validation(i === 0 ? 'AllowValidOnly' : 'AllowInsecureFallback'),
        perPort: [{ port: 443, tls: validation(i === 0 ? 'AllowValidOnly' : 'AllowInsecureFallback') }],
      },
    },
  }),
);

/** Routes that ask for default Gateways, or say that they do not. */
const DEFAULTED = ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'UDPRoute'].flatMap((kind) =>
  ['All', 'None'].map((useDefaultGateways) =>
    made(kind, {
      useDefaultGateways,
      ...(kind === 'TLSRoute' && { hostnames: ['a.example'] }),
      rules: [{ backendRefs: [SERVICE] }],
    }),
  ),
);

/** Of every kind: together they have every field that is read, with every value that is listed. */
export const GATEWAY_API_RESOURCES: readonly GatewayApiResource[] = [
  ...HTTP_ROUTES,
  ...GRPC_ROUTES,
  ...CONNECTION_ROUTES,
  ...DEFAULTED,
  ...GATEWAYS,
  made('GatewayClass', {
    controllerName: 'a.example/b',
    description: 'c',
    parametersRef: { group: 'a.example', kind: 'Thing', name: 'a', namespace: 'b' },
  }),
  made('ListenerSet', {
    parentRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge', namespace: 'b' },
    listeners: LISTENERS,
  }),
  made('ReferenceGrant', {
    from: [
      { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'a' },
      { group: 'a.example', kind: 'Thing', namespace: 'a' },
    ],
    to: [
      { group: '', kind: 'Service', name: 'a' },
      { group: 'a.example', kind: 'Thing', name: 'a.b' },
    ],
  }),
  ...[
    { wellKnownCACertificates: 'System' },
    {
      caCertificateRefs: [{ group: 'a.example', kind: 'Thing', name: 'a' }],
      subjectAltNames: [
        { type: 'Hostname', hostname: 'a.example' },
        { type: 'URI', uri: 'spiffe://a/b' },
      ],
    },
  ].map((more) =>
    made('BackendTLSPolicy', {
      targetRefs: [{ group: '', kind: 'Service', name: 'a', sectionName: 'b' }],
      validation: { hostname: 'a.example', ...more },
      options: { 'a.example/b': 'c' },
    }),
  ),
  ...sessions.map((sessionPersistence) =>
    made(
      'XBackendTrafficPolicy',
      {
        targetRefs: [{ group: '', kind: 'Service', name: 'a' }],
        retryConstraint: {
          budget: { percent: 20, interval: '10s' },
          minRetryRate: { count: 10, interval: '1s' },
        },
        sessionPersistence,
      },
      'gateway.networking.x-k8s.io/v1alpha1',
    ),
  ),
];
