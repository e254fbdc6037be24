import { integer, listOf, object, ref, text, type Json } from './openapi-parts.ts';
import { SCHEMAS } from './openapi-schemas.ts';

const json = (schema: Json): Json => ({ 'application/json': { schema } });

interface Operation {
  /** Unique; what generated clients call the method. */
  readonly id: string;
  readonly summary: string;
  readonly parameters?: readonly Json[];
  readonly body?: Json;
  readonly answer: Json;
  /** Statuses beside 200, 401 and 403. */
  readonly problems?: Readonly<Record<number, string>>;
  /** Needs no secret. */
  readonly open?: boolean;
}

function operation({ id, summary, parameters = [], body, answer, problems = {}, open }: Operation): Json {
  const all: Readonly<Record<number, string>> = {
    ...(open === true
      ? {}
      : { 401: 'No secret was shown, or another one.', 403: 'The host or origin may not call.' }),
    ...problems,
  };
  return {
    operationId: id,
    summary,
    ...(open === true ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: body } }),
    responses: {
      200: { description: 'Done.', content: answer },
      ...Object.fromEntries(
        Object.entries(all).map(([status, description]) => [
          status,
          { description, content: { 'application/problem+json': { schema: ref('Problem') } } },
        ]),
      ),
    },
  };
}

const inPath = (name: string, description: string): Json => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: text,
});
const inQuery = (name: string, description: string, schema: Json = text): Json => ({
  name,
  in: 'query',
  description,
  schema,
});

const resources: Json = {
  'application/yaml': { schema: { type: 'string', description: 'One or more documents.' } },
  ...json({ anyOf: [ref('Resource'), listOf(ref('Resource'))] }),
};
const ONE = [
  inPath('kind', 'As in the resource, or its plural in lower case.'),
  inPath('namespace', 'Namespace of the resource.'),
  inPath('name', 'Name of the resource.'),
];
const INVALID = { 415: 'The body is of a type that is not read.', 422: 'Every fault; nothing was applied.' };
const REFUSED = { 409: 'Another source owns it; nothing was applied.', 503: 'The state cannot be saved.' };
const ABSENT = { 404: 'There is no such thing.' };

const PATHS: Json = {
  '/api/v1/apply': {
    post: operation({
      id: 'apply',
      summary: 'Puts resources, all or none.',
      parameters: [
        inQuery('dryRun', 'Only checks.', { type: 'boolean', default: false }),
        inQuery(
          'ifVersion',
          'KIND/NAMESPACE/NAME@VERSION that must still hold; may be given several times.',
          {
            type: 'array',
            items: { type: 'string' },
          },
        ),
      ],
      body: resources,
      answer: json(ref('Applied')),
      problems: {
        ...INVALID,
        ...REFUSED,
        412: 'A resource has another version by now; nothing was applied.',
        413: 'The body is too large.',
      },
    }),
  },
  '/api/v1/resources': {
    get: operation({
      id: 'listResources',
      summary: 'Resources, with owner and version.',
      parameters: [
        inQuery('kind', 'Only this kind, as in the resource or its plural in lower case.'),
        inQuery('namespace', 'Only this namespace.'),
      ],
      answer: json(object({ items: listOf(ref('Held')) })),
      problems: ABSENT,
    }),
  },
  '/api/v1/resources/{kind}/{namespace}/{name}': {
    get: operation({
      id: 'getResource',
      summary: 'One resource.',
      parameters: ONE,
      answer: json(ref('HeldWithConditions')),
      problems: ABSENT,
    }),
    put: operation({
      id: 'putResource',
      summary: 'Puts one resource.',
      parameters: ONE,
      body: resources,
      answer: json(ref('Applied')),
      problems: { 400: 'The body is not that resource.', ...INVALID, ...REFUSED },
    }),
    delete: operation({
      id: 'deleteResource',
      summary: 'Removes one resource.',
      parameters: ONE,
      answer: json(object({ changeId: text, changed: listOf(text) })),
      problems: { ...ABSENT, ...REFUSED },
    }),
  },
  '/api/v1/status': {
    get: operation({
      id: 'getStatus',
      summary: 'Proxies: what they should have and what they have; sources and their faults.',
      answer: json(ref('Status')),
    }),
  },
  '/api/v1/mtls': {
    get: operation({
      id: 'getMtls',
      summary: 'What is asked of callers, by port of each connected workload, and who comes in plain text.',
      answer: json(object({ ports: listOf(ref('MtlsPort')) })),
    }),
  },
  '/api/v1/proxies/{id}/config': {
    get: operation({
      id: 'getProxyConfig',
      summary: 'What a connected proxy should have.',
      parameters: [inPath('id', 'Node id, as in the status.')],
      answer: json({ type: 'object' }),
      problems: ABSENT,
    }),
  },
  '/api/v1/changes/{id}': {
    get: operation({
      id: 'getChange',
      summary: 'How far a change got.',
      parameters: [
        inPath('id', 'Id that an apply returned.'),
        inQuery('waitMs', 'Answer when every proxy has answered, at the latest after this long.', integer),
      ],
      answer: json(ref('Change')),
      problems: { 400: 'waitMs is out of range.', ...ABSENT },
    }),
  },
};

const CA_PATHS: Json = {
  '/api/v1/join-tokens': {
    post: operation({
      id: 'createJoinToken',
      summary: 'A token with which one workload joins once.',
      body: json(ref('JoinTokenRequest')),
      answer: json(ref('JoinToken')),
      problems: { 400: 'The body says which field is wrong.', 415: INVALID[415] },
    }),
    get: operation({
      id: 'listJoinTokens',
      summary: 'Tokens that are kept, unused or lately used, without their secrets; the newest first.',
      answer: json(object({ items: listOf(ref('KnownJoinToken')) })),
    }),
  },
  '/api/v1/join-tokens/{id}': {
    delete: operation({
      id: 'revokeJoinToken',
      summary: 'Makes an unused token worthless.',
      parameters: [inPath('id', 'Id of the token.')],
      answer: json(object({ revoked: text })),
      problems: ABSENT,
    }),
  },
  '/api/v1/ca': {
    get: operation({
      id: 'getCa',
      summary: 'Roots, issuers, who holds certificates, and how a change of roots stands.',
      answer: json(ref('CaStatus')),
    }),
  },
  '/api/v1/ca/rotate-issuer': {
    post: operation({
      id: 'rotateIssuer',
      summary: 'A new issuer, and new certificates for everyone.',
      answer: json(object({ rotated: text })),
    }),
  },
  '/api/v1/ca/rotate-leaves': {
    post: operation({
      id: 'rotateLeaves',
      summary: 'New certificates for everyone.',
      answer: json(object({ rotated: text })),
    }),
  },
};

const ROOT_STEPS: Readonly<Record<string, readonly [id: string, summary: string]>> = {
  'rotate-root': [
    'rotateRoot',
    'Begins to replace the root; it goes on by itself when everybody has the new one.',
  ],
  'switch-root': ['switchRoot', 'Has the new root sign although somebody has not confirmed it.'],
  'remove-old-root': ['removeOldRoot', 'Removes the old root although certificates below it are valid.'],
  'abandon-root': ['abandonRoot', 'Gives the new root up while it does not sign.'],
};
const ROOT_PATHS: Json = Object.fromEntries(
  Object.entries(ROOT_STEPS).map(([path, [id, summary]]) => [
    `/api/v1/ca/${path}`,
    {
      post: operation({
        id,
        summary,
        answer: json(ref('CaStatus')),
        problems: { 409: 'The change of roots does not stand there.' },
      }),
    },
  ]),
);

const NODE = inPath('node', 'Node id of the client, or * for every node without a set of its own.');
const XDS_RESOURCE = [
  NODE,
  inPath(
    'type',
    'A word (listener, route, cluster, endpoint, secret, …), the name of a message, or a type URL.',
  ),
  inPath('name', 'Name of the resource.'),
];
const CHANGE = [
  inQuery('version', 'What clients see as version; default a number that grows.'),
  inQuery('missing', 'Whether resources may name others that are not there.', {
    type: 'string',
    enum: ['refuse', 'allow'],
    default: 'refuse',
  }),
];
const XDS_CHANGE = {
  400: 'The body is not what the path takes.',
  409: 'A resource names another that is not there; nothing was changed.',
  415: INVALID[415],
  422: 'Every fault with its place; nothing was changed.',
};
const xdsResource = json({ type: 'object', description: "Protobuf's JSON with @type." });
const VERSION = json(object({ version: text }));

const XDS_PATHS: Json = {
  '/api/v1/xds': {
    get: operation({
      id: 'listXdsNodes',
      summary: 'Nodes with resources as they were put, and connected clients: what they took and refused.',
      answer: json(object({ items: listOf(ref('XdsNodeSummary')) })),
    }),
  },
  '/api/v1/xds/{node}': {
    get: operation({
      id: 'getXdsSet',
      summary: 'What a node gets as it was put.',
      parameters: [NODE],
      answer: json(ref('XdsSet')),
      problems: ABSENT,
    }),
    put: operation({
      id: 'putXdsSet',
      summary: 'Replaces what a node gets, whole.',
      parameters: [NODE, ...CHANGE],
      body: json(object({ resources: listOf({ type: 'object' }) })),
      answer: VERSION,
      problems: XDS_CHANGE,
    }),
    post: operation({
      id: 'addXdsResources',
      summary: 'Puts resources beside those that a node has, all or none.',
      parameters: [NODE, ...CHANGE],
      body: json(object({ resources: listOf({ type: 'object' }) })),
      answer: VERSION,
      problems: XDS_CHANGE,
    }),
    delete: operation({
      id: 'deleteXdsSet',
      summary: 'Forgets what a node gets; clients keep what they have until there is another set for them.',
      parameters: [NODE],
      answer: json(object({ removed: text })),
      problems: ABSENT,
    }),
  },
  '/api/v1/xds/{node}/status': {
    get: operation({
      id: 'getXdsStatus',
      summary: 'How each resource stands at a node.',
      parameters: [NODE],
      answer: json(ref('XdsNode')),
    }),
  },
  '/api/v1/xds/{node}/{type}/{name}': {
    get: operation({
      id: 'getXdsResource',
      summary: 'One resource as it was put.',
      parameters: XDS_RESOURCE,
      answer: json(ref('XdsResource')),
      problems: ABSENT,
    }),
    put: operation({
      id: 'putXdsResource',
      summary: 'Puts one resource.',
      parameters: [...XDS_RESOURCE, ...CHANGE],
      body: xdsResource,
      answer: VERSION,
      problems: { ...XDS_CHANGE, ...ABSENT },
    }),
    delete: operation({
      id: 'deleteXdsResource',
      summary: 'Removes one resource.',
      parameters: [...XDS_RESOURCE, ...CHANGE],
      answer: json(object({ removed: text })),
      problems: { ...ABSENT, 400: XDS_CHANGE[400], 409: 'Another resource names it.' },
    }),
  },
};

const LOAD_PATHS: Json = {
  '/api/v1/load-reports': {
    get: operation({
      id: 'listLoadReports',
      summary: 'What clients say over LRS of the requests that they send to clusters.',
      parameters: [inQuery('node', 'Only this node.')],
      answer: json(object({ items: listOf(ref('NodeLoad')) })),
    }),
  },
};

const OPEN_PATHS: Json = {
  '/healthz': {
    get: operation({
      id: 'getHealth',
      summary: 'The process answers.',
      answer: json(object({ status: text })),
      open: true,
    }),
  },
  '/readyz': {
    get: operation({
      id: 'getReadiness',
      summary: 'What it knows is saved, and its sources are read.',
      answer: json(object({ status: text })),
      problems: { 503: 'Why it is not ready.' },
      open: true,
    }),
  },
  '/metrics': {
    get: operation({
      id: 'getMetrics',
      summary: 'Metrics in the text format of Prometheus.',
      answer: { 'text/plain': { schema: text } },
      open: true,
    }),
  },
  '/openapi.json': {
    get: operation({
      id: 'getDescription',
      summary: 'This description.',
      answer: json({ type: 'object' }),
      open: true,
    }),
  },
};

/** The API in OpenAPI 3.1, the schemas of resources being those that check them. @param parts which parts of it are there */
export function openApi(parts: {
  readonly ca: boolean;
  readonly xds: boolean;
  readonly loadReports: boolean;
}): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tulle control plane',
      version: '1',
      description: 'Resources, status and identity of a mesh.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:{port}', variables: { port: { default: '15014' } } }],
    security: [{ secret: [] }],
    paths: {
      ...PATHS,
      ...(parts.ca ? { ...CA_PATHS, ...ROOT_PATHS } : {}),
      ...(parts.xds ? XDS_PATHS : {}),
      ...(parts.loadReports ? LOAD_PATHS : {}),
      ...OPEN_PATHS,
    },
    components: {
      securitySchemes: {
        secret: { type: 'http', scheme: 'bearer', description: 'apiSecret of control-plane.json.' },
      },
      schemas: SCHEMAS,
    },
  };
}
