import { KINDS } from '@tulle/resources';
import { closed, integer, listOf, object, ref, text, type Json } from './openapi-parts.ts';
import { STATUS_SCHEMAS } from './openapi-status.ts';

/** What the API sends and takes, by name; the schemas of kinds, which check resources too, are beside these. */
export const SCHEMAS: Json = {
  ...Object.fromEntries(KINDS.map(({ kind, schema }) => [kind, schema])),
  Resource: { anyOf: KINDS.map(({ kind }) => ref(kind)) },
  Held: object(
    {
      resource: ref('Resource'),
      owner: { ...text, description: 'rest, a file, or a sidecar that joined.' },
      version: { ...text, description: 'Hash of the content.' },
      generation: {
        ...integer,
        description: 'Counts the changes of its content since the control plane started.',
      },
      status: {
        anyOf: [
          ref('GatewayClassStatus'),
          ref('GatewayStatus'),
          ref('ListenerSetStatus'),
          ref('RouteStatus'),
          ref('PolicyStatus'),
        ],
        description:
          'Of a GatewayClass, a Gateway, a ListenerSet, a route, a BackendTLSPolicy or an XBackendTrafficPolicy, as Gateway API writes it.',
      },
    },
    ['resource', 'owner', 'version', 'generation'],
  ),
  ...STATUS_SCHEMAS,
  HeldWithConditions: {
    allOf: [
      ref('Held'),
      object({
        conditions: {
          ...listOf(ref('Condition')),
          description:
            'What holds of it beside what it says: of a Service, whether all that it selects is taken.',
        },
      }),
    ],
  },
  Condition: closed({ type: text, status: { enum: ['True', 'False'] }, reason: text, message: text }, [
    'type',
    'status',
    'reason',
    'message',
  ]),
  Applied: object(
    {
      changeId: { ...text, description: 'Absent when nothing changed.' },
      changed: listOf(text),
      unchanged: listOf(text),
      dryRun: { type: 'boolean' },
      findings: listOf(ref('Diagnostic')),
    },
    ['changed', 'unchanged', 'dryRun', 'findings'],
  ),
  Change: object(
    {
      id: text,
      cause: text,
      atMs: integer,
      resources: listOf(text),
      proxies: {
        type: 'object',
        additionalProperties: object(
          { state: { enum: ['pending', 'acked', 'nacked'] }, propagationMs: { type: 'number' }, error: text },
          ['state'],
        ),
      },
      settled: { type: 'boolean', description: 'No proxy is pending.' },
    },
    ['id', 'cause', 'atMs', 'resources', 'proxies'],
  ),
  KindStatus: closed(
    {
      state: {
        enum: ['SYNCED', 'STALE', 'NOT SENT', 'NACKED'],
        description:
          'SYNCED: it has what it should have. NOT SENT: it has none of it, and nothing was sent. STALE: something is sent, or to be sent, and not confirmed. NACKED: it refuses something, and keeps what it had.',
      },
      error: { ...text, description: 'Reasons of what it refuses.' },
      resources: { ...integer, description: 'How many it should have.' },
      sent: { ...integer, description: 'Resources and removals sent on its stream so far.' },
      acked: { ...integer, description: 'Those that it confirmed.' },
      nacked: { ...integer, description: 'Those that it refused.' },
      versions: {
        type: 'object',
        additionalProperties: text,
        description: 'Content hash of each resource that it has, by name.',
      },
    },
    ['state', 'resources', 'sent', 'acked', 'nacked', 'versions'],
  ),
  ProxyStatus: closed(
    {
      id: { ...text, description: 'Node id.' },
      connected: {
        type: 'boolean',
        description:
          'false: its stream has ended; the rest is how it stood then. Such stay for some minutes.',
      },
      lastSeenMs: {
        ...integer,
        description: 'When its stream ended, in milliseconds since 1970; absent while it is connected.',
      },
      ended: {
        enum: ['clean', 'lost'],
        description: 'How its stream ended: clean by itself, else lost; absent while it is connected.',
      },
      identity: { ...text, description: 'SPIFFE id that it proved.' },
      workload: text,
      namespace: text,
      labels: { type: 'object', additionalProperties: text, description: 'Of its Workload.' },
      capabilities: {
        type: 'array',
        items: text,
        description: 'What it does beside identity, routing and what policies ask.',
      },
      changeId: { ...text, description: 'Newest change that concerned it.' },
      lastPropagationMs: {
        type: 'number',
        description: 'From the apply of the last change that it confirmed to that confirmation.',
      },
      kinds: object({
        listener: ref('KindStatus'),
        route: ref('KindStatus'),
        cluster: ref('KindStatus'),
        endpoint: ref('KindStatus'),
      }),
    },
    ['id', 'connected', 'workload', 'namespace', 'labels', 'changeId', 'kinds'],
  ),
  Status: closed(
    {
      trustDomain: text,
      defaultAction: {
        enum: ['allow', 'deny'],
        description: 'What a workload without ALLOW policies does with authenticated callers.',
      },
      resources: integer,
      proxies: listOf(ref('ProxyStatus')),
      sources: listOf(object({ id: text, faults: listOf(ref('Diagnostic')) })),
      filterPolicies: listOf(
        object({
          name: { ...text, description: 'namespace/name.' },
          accepted: { type: 'boolean' },
          lacking: { ...listOf(text), description: 'Proxies that it is for and that lack its filter.' },
          conditions: listOf(ref('Condition')),
        }),
      ),
      services: {
        ...listOf(ref('ServiceStatus')),
        description: 'Services with Workloads that their selector picks and that they do not take.',
      },
      lostWorkloads: { ...listOf(text), description: 'Workloads whose sidecar vanished without a word.' },
      unsaved: { ...text, description: 'Why the newest state is not on disk; absent when it is.' },
    },
    [
      'trustDomain',
      'defaultAction',
      'resources',
      'proxies',
      'sources',
      'filterPolicies',
      'services',
      'lostWorkloads',
    ],
  ),
  MtlsPort: closed(
    {
      proxy: { ...text, description: 'Node id.' },
      workload: text,
      namespace: text,
      port: { ...integer, description: 'Of the application.' },
      mode: { enum: ['STRICT', 'PERMISSIVE'] },
      policy: {
        ...text,
        description: 'namespace/name of the PeerAuthentication that says so; absent: the default.',
      },
      confirmed: {
        type: 'boolean',
        description: 'The proxy has confirmed its listeners: it does what mode says.',
      },
      clients: {
        ...listOf(object({ address: text, connections: integer, lastSeenMs: integer })),
        description: 'Who came in plain text, the latest first.',
      },
      others: { ...integer, description: 'Connections in plain text of clients beyond those.' },
    },
    ['proxy', 'workload', 'namespace', 'port', 'mode', 'confirmed', 'clients', 'others'],
  ),
  ServiceStatus: closed(
    {
      name: { ...text, description: 'namespace/name.' },
      conditions: listOf(ref('Condition')),
      leftOut: listOf(
        object({
          workload: { ...text, description: 'namespace/name.' },
          serviceAccount: { ...text, description: 'namespace/name.' },
          reason: text,
        }),
      ),
    },
    ['name', 'conditions', 'leftOut'],
  ),
  JoinTokenRequest: {
    ...object({ namespace: text, serviceAccount: text, labels: ref('GrantedLabels'), lifetimeMs: integer }, [
      'namespace',
      'serviceAccount',
    ]),
    additionalProperties: false,
  },
  GrantedLabels: {
    description: 'Labels that the workload may claim; "*": any.',
    oneOf: [{ const: '*' }, { type: 'object', additionalProperties: text }],
  },
  JoinToken: object({
    token: { ...text, description: 'Shown this once.' },
    id: text,
    spiffeId: text,
    labels: ref('LabelGrant'),
    expiresAtMs: integer,
  }),
  KnownJoinToken: object({
    id: text,
    spiffeId: text,
    labels: ref('LabelGrant'),
    createdAtMs: integer,
    expiresAtMs: integer,
    state: { enum: ['unused', 'used', 'revoked', 'expired'] },
  }),
  LabelGrant: {
    description: 'For each label its values; "*": any.',
    oneOf: [{ const: '*' }, { type: 'object', additionalProperties: listOf(text) }],
  },
  Authority: object({ id: text, notBeforeMs: integer, notAfterMs: integer }),
  Holder: object(
    {
      id: text,
      spiffeId: text,
      instance: text,
      labels: ref('LabelGrant'),
      notAfterMs: integer,
      bundleGeneration: integer,
      leafEpoch: integer,
      connected: { type: 'boolean' },
    },
    ['id', 'spiffeId', 'labels', 'notAfterMs', 'bundleGeneration', 'leafEpoch', 'connected'],
  ),
  CaStatus: object(
    {
      trustDomain: text,
      generation: { ...integer, description: 'Of the trust bundle.' },
      leafEpoch: integer,
      roots: listOf(ref('Authority')),
      signingRootId: text,
      issuers: { ...listOf(ref('Authority')), description: 'The last is in use.' },
      holders: { ...integer, description: 'Instances with a valid certificate.' },
      connected: { ...integer, description: 'Of them, those that hear the CA now.' },
      rootRotation: object(
        {
          phase: { enum: ['distributing', 'overlapping'] },
          fromRootId: text,
          toRootId: text,
          startedMs: integer,
          removeAtMs: integer,
          confirmed: { ...integer, description: 'Instances that have confirmed both roots.' },
          renewed: { ...integer, description: 'Instances whose certificate is below the new root.' },
          holders: integer,
          waitingFor: listOf(ref('Holder')),
        },
        ['phase', 'fromRootId', 'toRootId', 'startedMs', 'confirmed', 'renewed', 'holders', 'waitingFor'],
      ),
    },
    ['trustDomain', 'generation', 'leafEpoch', 'roots', 'signingRootId', 'issuers', 'holders', 'connected'],
  ),
  Diagnostic: object(
    {
      code: text,
      class: text,
      severity: text,
      message: text,
      hint: text,
      pointer: { ...text, description: 'JSON pointer (RFC 6901) into the resource or the body.' },
      position: object({ file: text, line: integer, column: integer }),
      docs: text,
    },
    ['code', 'class', 'severity', 'message', 'pointer', 'docs'],
  ),
  Problem: {
    ...object(
      {
        type: text,
        status: integer,
        code: text,
        detail: text,
        hint: text,
        issues: listOf(ref('Diagnostic')),
        faults: {
          ...listOf(object({ path: text, message: text })),
          description: 'Of xDS resources: JSON pointer and what is wrong.',
        },
      },
      ['type', 'status', 'code', 'detail'],
    ),
    description: 'RFC 9457.',
  },
  XdsResource: object(
    {
      typeUrl: text,
      name: text,
      version: { ...text, description: 'Hash of the content.' },
      ttlMs: integer,
      resource: { type: 'object', description: "Protobuf's JSON with @type." },
    },
    ['typeUrl', 'name', 'version', 'resource'],
  ),
  XdsSet: object({ node: text, version: text, resources: listOf(ref('XdsResource')) }),
  XdsStream: object({
    peer: text,
    openedAtMs: integer,
    protocol: { enum: ['delta', 'state-of-the-world'] },
    userAgent: text,
    types: listOf(
      object({ typeUrl: text, acked: text, acks: integer, nacks: integer, nack: { type: 'object' } }, [
        'typeUrl',
        'acks',
        'nacks',
      ]),
    ),
  }),
  XdsNodeSummary: object(
    {
      node: text,
      version: text,
      set: { enum: ['own', 'default'] },
      state: { enum: ['acked', 'pending', 'nacked', 'disconnected', 'no set'] },
      streams: listOf(ref('XdsStream')),
      resources: { ...integer, description: 'Resources that it asks for, or still has.' },
      waitsFor: listOf(text),
    },
    ['node', 'state', 'streams', 'resources', 'waitsFor'],
  ),
  XdsNode: object(
    {
      node: text,
      version: text,
      set: { enum: ['own', 'default'] },
      state: { enum: ['acked', 'pending', 'nacked', 'disconnected', 'no set'] },
      streams: listOf(ref('XdsStream')),
      resources: listOf(
        object(
          {
            typeUrl: text,
            name: text,
            version: text,
            state: { enum: ['synced', 'stale', 'not sent', 'error'] },
            error: object({ message: text, atMs: integer }),
          },
          ['typeUrl', 'name', 'version', 'state'],
        ),
      ),
      waitsFor: { ...listOf(text), description: 'What is missing for acked, in words.' },
    },
    ['node', 'state', 'streams', 'resources', 'waitsFor'],
  ),
  LoadCounts: object({ issued: integer, succeeded: integer, failed: integer, dropped: integer }),
  NodeLoad: object({
    node: text,
    reports: integer,
    clusters: listOf(
      object(
        {
          cluster: text,
          service: { ...text, description: 'Name of its endpoints, where that is another.' },
          total: ref('LoadCounts'),
          last: ref('LoadCounts'),
        },
        ['cluster', 'total', 'last'],
      ),
    ),
  }),
};
