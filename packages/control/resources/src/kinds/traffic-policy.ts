import type { JsonSchema, RetryOn } from '@tulle/model';
import type { Metadata, PolicyTarget } from './metadata.ts';
import {
  dnsSubdomain,
  duration,
  dnsLabel,
  integer,
  labels,
  list,
  object,
  oneOf,
  resourceSchema,
  text,
  truth,
} from './schema-parts.ts';

/** How a Service is called: balancing, localities, subsets, ejection, limits, timeouts, retries, connections. Absent parts keep Tulle's defaults. */
export interface TrafficPolicy {
  readonly apiVersion: 'tulle.dev/v1alpha1';
  readonly kind: 'TrafficPolicy';
  readonly metadata: Metadata;
  readonly spec: TrafficPolicySpec;
}

export interface TrafficPolicySpec {
  /** Services, or routes for `timeouts`, `retries` and `priority` of their rules. `sectionName`: one port, one rule. */
  readonly targetRefs: readonly PolicyTarget[];
  readonly balancing?: {
    readonly policy: 'RoundRobin' | 'Random' | 'LeastRequest' | 'PeakEWMA' | 'RingHash' | 'Maglev';
    readonly choices?: number;
    readonly defaultRtt?: string;
    readonly decay?: string;
    /** RingHash, Maglev: the first of these that a request has decides where it goes. */
    readonly hashOn?: readonly HashKey[];
    readonly minRingSize?: number;
    readonly maxRingSize?: number;
    readonly tableSize?: number;
    readonly slowStart?: {
      readonly window: string;
      readonly aggression?: number;
      readonly minWeightPercent?: number;
    };
  };
  /** Which endpoints a caller prefers by where it runs itself. Callers that do not say where they run prefer none. */
  readonly locality?: {
    /** `Nearest`: those of its sub-zone, then of its zone, then of its region, then others. Default `None`. */
    readonly prefer: 'None' | 'Nearest';
    /** Regions that come before others when the caller's own is out. */
    readonly failover?: readonly { readonly from: string; readonly to: string }[];
  };
  /**
   * Fewer healthy endpoints than this, percent, and health is not believed. Default 0, never: health comes from the
   * endpoints themselves; 50 with a `healthCheck`, which may be wrong for all of them.
   */
  readonly panicThresholdPercent?: number;
  /** Parts of the Service by labels of its Workloads, which routes name as backends of kind ServiceSubset. */
  readonly subsets?: readonly TrafficSubset[];
  /** Callers ask each endpoint whether it is well. One of `http`, `tcp` and `grpc`. */
  readonly healthCheck?: {
    readonly http?: {
      readonly path: string;
      readonly host?: string;
      /** E.g. `200` or `200-299`. */
      readonly expectedStatuses?: readonly string[];
    };
    readonly tcp?: object;
    readonly grpc?: {
      readonly service?: string;
    };
    readonly interval?: string;
    readonly timeout?: string;
    readonly jitter?: string;
    readonly noTrafficInterval?: string;
    readonly unhealthyThreshold?: number;
    readonly healthyThreshold?: number;
  };
  readonly outlierDetection?: {
    readonly disabled?: boolean;
    readonly consecutiveFailures?: number;
    readonly successRate?: {
      readonly belowPercent: number;
      readonly window?: string;
      readonly minimumRequests?: number;
    };
    readonly interval?: string;
    readonly baseEjection?: string;
    readonly maxEjection?: string;
    readonly maxEjectionPercent?: number;
  };
  readonly limits?: {
    readonly maxConnections?: number;
    readonly maxPendingRequests?: number;
    readonly maxRequests?: number;
  };
  readonly retryBudget?: {
    readonly percent?: number;
    readonly minPerSecond?: number;
    readonly interval?: string;
  };
  readonly timeouts?: {
    readonly connect?: string;
    readonly request?: string;
    readonly backendRequest?: string;
    readonly idle?: string;
  };
  readonly retries?: {
    /** 0 switches retries off. */
    readonly attempts?: number;
    readonly on?: readonly RetryOn[];
    readonly codes?: readonly number[];
    readonly backoff?: string;
    readonly maxBackoff?: string;
    /** Whether requests with an `Idempotency-Key` may be repeated, whatever their method. */
    readonly trustIdempotencyKey?: boolean;
  };
  /**
   * Which requests a proxy refuses last while it sheds load: it begins with `Low`; `Critical` ones it never refuses. In the
   * proxies of callers, and in gateways. Default `Default`.
   */
  readonly priority?: 'Low' | 'Default' | 'High' | 'Critical';
  readonly connectionPool?: {
    readonly idleTimeout?: string;
    readonly maxRequestsPerConnection?: number;
    readonly maxIdlePerEndpoint?: number;
    readonly sessionResumption?: boolean;
    /** Between proxies of the mesh. Default: what holds in the whole mesh. */
    readonly meshProtocol?: 'Auto' | 'HTTP1';
  };
}

/** Something that requests may have in common. One field of it. */
export interface HashKey {
  readonly header?: string;
  readonly queryParam?: string;
  readonly cookie?: { readonly name: string; readonly ttl?: string; readonly path?: string };
  readonly sourceIp?: true;
}

/** Some Workloads of a Service. */
export interface TrafficSubset {
  readonly name: string;
  /** All must be equal. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Parts of a TrafficPolicy that mean something for a route. */
export const ROUTE_PARTS: readonly string[] = ['timeouts', 'retries', 'priority'];

const percent = (description: string, minimum: number): JsonSchema => ({
  type: 'number',
  minimum,
  maximum: 100,
  description,
});

export const trafficPolicySchema: JsonSchema = resourceSchema(
  'tulle.dev/v1alpha1',
  'TrafficPolicy',
  'How a Service is called.',
  dnsSubdomain('Name.'),
  {
    spec: object(
      'Settings. Where several policies set the same part for one target, the oldest wins, then the smallest name.',
      {
        targetRefs: list(
          'Services or routes in this namespace.',
          object(
            'A target.',
            {
              group: {
                enum: ['', 'gateway.networking.k8s.io'],
                description: 'Empty for Service, gateway.networking.k8s.io for HTTPRoute and GRPCRoute.',
              },
              kind: oneOf('Kind.', ['Service', 'HTTPRoute', 'GRPCRoute']),
              name: dnsSubdomain('Name.'),
              sectionName: text('Port name of a Service, rule name of a route.', {
                minLength: 1,
                maxLength: 253,
              }),
            },
            ['group', 'kind', 'name'],
          ),
          1,
          16,
        ),
        balancing: object(
          'How an endpoint is chosen. Default PeakEWMA for HTTP, LeastRequest for TCP.',
          {
            policy: oneOf(
              'Policy. RingHash and Maglev lead what is equal to the same endpoint as long as that is well.',
              ['RoundRobin', 'Random', 'LeastRequest', 'PeakEWMA', 'RingHash', 'Maglev'],
            ),
            hashOn: list(
              'RingHash, Maglev: the first of these that a request has decides where it goes; with none of them any endpoint does.',
              object('One of its fields.', {
                header: text('Value of a header.', {
                  minLength: 1,
                  maxLength: 256,
                  pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
                }),
                queryParam: text('Value of a query parameter.', { minLength: 1, maxLength: 256 }),
                cookie: object(
                  'Value of a cookie.',
                  {
                    name: text('Name.', {
                      minLength: 1,
                      maxLength: 256,
                      pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
                    }),
                    ttl: duration(
                      'Who has none gets one that is made up, for this long; 0s: for its session. Default: nobody gets one.',
                    ),
                    path: text('Path of the cookie that is made up.', {
                      maxLength: 1024,
                      pattern: '^/[\\x21-\\x3a\\x3c-\\x7e]*$',
                    }),
                  },
                  ['name'],
                ),
                sourceIp: {
                  enum: [true],
                  description: 'Address of who connected; behind a sidecar that is the program beside it.',
                },
              }),
              1,
              8,
            ),
            minRingSize: integer('RingHash: least number of points. Default 1024.', 1, 8_388_608),
            maxRingSize: integer('RingHash: greatest number of points. Default 65537.', 1, 8_388_608),
            tableSize: integer('Maglev: size of the table, a prime. Default 65537.', 2, 5_000_011),
            choices: integer('LeastRequest: endpoints drawn. Default 2.', 2, 100),
            defaultRtt: duration('PeakEWMA: latency assumed at first. Default 30ms.'),
            decay: duration('PeakEWMA: how fast old latencies fade. Default 10s.'),
            slowStart: object(
              'RoundRobin, LeastRequest: an endpoint that is new, or well again, gets its share little by little.',
              {
                window: duration('How long that takes.'),
                aggression: {
                  type: 'number',
                  minimum: 0.01,
                  maximum: 100,
                  description: '1: evenly; more: faster at first. Default 1.',
                },
                minWeightPercent: percent('Least part of its share. Default 10.', 0),
              },
              ['window'],
            ),
          },
          ['policy'],
        ),
        locality: object(
          'Which endpoints a caller prefers by where it runs itself. A caller that does not say where it runs prefers none.',
          {
            prefer: oneOf(
              'Nearest: those of its sub-zone, then of its zone, of its region, and others; each takes what is too much for the healthy ones before it. Default None.',
              ['None', 'Nearest'],
            ),
            failover: list(
              "Regions that come before others when the caller's own is out.",
              object(
                'A pair of regions.',
                {
                  from: text('Region of the caller.', { minLength: 1, maxLength: 253 }),
                  to: text('Region that comes next.', { minLength: 1, maxLength: 253 }),
                },
                ['from', 'to'],
              ),
              1,
              64,
            ),
          },
          ['prefer'],
        ),
        panicThresholdPercent: percent(
          'Fewer healthy endpoints than this, and health is not believed: all are used. Default 0, never; with a healthCheck 50.',
          0,
        ),
        subsets: list(
          'Parts of the Service by labels of its Workloads. A route names one as a backend of group tulle.dev, kind ServiceSubset and name SERVICE.SUBSET.',
          object(
            'Some Workloads of the Service.',
            { name: dnsLabel('Name.'), labels: labels('Labels that they have, all of them.') },
            ['name', 'labels'],
          ),
          1,
          64,
        ),
        healthCheck: object(
          'Callers ask each endpoint whether it is well; what fails is not used. Give http, tcp or grpc. Each caller asks by itself: for endpoints of the mesh, which say themselves whether they take calls, it is seldom needed.',
          {
            http: object(
              'By a request.',
              {
                path: text('Path, with a query if need be.', {
                  pattern: '^/[\\x21-\\x22\\x24-\\x7e]*$',
                  maxLength: 2048,
                }),
                host: text('Host of the request. Default: the Service.', {
                  pattern: '^[A-Za-z0-9._-]+(:[0-9]{1,5})?$',
                  maxLength: 253,
                }),
                expectedStatuses: list(
                  'Statuses of a healthy endpoint. Default 200.',
                  text('A status, or a range such as 200-299.', {
                    pattern: '^[1-5][0-9]{2}(-[1-5][0-9]{2})?$',
                  }),
                  1,
                  16,
                ),
              },
              ['path'],
            ),
            tcp: object('By a connection.', {}),
            grpc: object('By a call of grpc.health.v1.Health/Check, which answers SERVING.', {
              service: text('Full name of the service that is asked about. Default: the server as a whole.', {
                maxLength: 1024,
              }),
            }),
            interval: duration('From one check to the next. Default 10s.'),
            timeout: duration('A check that takes longer has failed. Default 5s.'),
            jitter: duration('Added to each interval, up to this, at random. Default a tenth of interval.'),
            noTrafficInterval: duration('Interval while the caller has not called the Service. Default 60s.'),
            unhealthyThreshold: integer(
              'Failures in a row that take an endpoint out; an unexpected status does at once. Default 3.',
              1,
              100,
            ),
            healthyThreshold: integer('Successes in a row that take it back. Default 2.', 1, 100),
          },
        ),
        outlierDetection: object('Ejects endpoints that fail. On by default.', {
          disabled: truth('Never eject. Default false.'),
          consecutiveFailures: integer('5xx or connection failures in a row. Default 5; 0: off.', 0, 10_000),
          successRate: object(
            'Also by success rate.',
            {
              belowPercent: percent('Ejected below this.', 0),
              window: duration('Default 10s.'),
              minimumRequests: integer('Default 5.', 1, 1_000_000),
            },
            ['belowPercent'],
          ),
          interval: duration('How often ejections are reconsidered. Default 10s.'),
          baseEjection: duration('First ejection. Default 30s.'),
          maxEjection: duration('Longest ejection. Default 300s.'),
          maxEjectionPercent: percent('Share that may be out, but always one. Default 10.', 0),
        }),
        limits: object('Bounds of one caller; reaching one gives 503.', {
          maxConnections: integer('Open connections. Default 1024.', 0, 1_000_000),
          maxPendingRequests: integer('Requests that wait for a connection. Default 1024.', 0, 1_000_000),
          maxRequests: integer('Requests under way. Default 1024.', 0, 1_000_000),
        }),
        retryBudget: object('Share of requests that may be retries.', {
          percent: percent('Default 20.', 0),
          minPerSecond: {
            type: 'number',
            minimum: 0,
            maximum: 1_000_000,
            description: 'Always allowed. Default 10.',
          },
          interval: duration('Default 10s.'),
        }),
        timeouts: object('Time limits; 0s switches one off.', {
          connect: duration('TCP and TLS handshake. Default 5s.'),
          request: duration(
            'For the request, all its attempts included. Default 15s; for gRPC calls what their callers say.',
          ),
          backendRequest: duration('For one attempt. Default off.'),
          idle: duration('No byte either way. Default 5m.'),
        }),
        retries: object(
          'Attempts after a failure; only for idempotent requests, ones that were provably not sent, and gRPC calls refused by a status that is named.',
          {
            attempts: integer('Further attempts; 0: off. Default 2.', 0, 10),
            on: {
              type: 'array',
              uniqueItems: true,
              minItems: 1,
              description:
                'What is worth another attempt; the last five are statuses by which a service refuses gRPC calls. Default connect-failure and reset.',
              items: oneOf('Cause.', [
                'connect-failure',
                'reset',
                'per-try-timeout',
                'gateway-error',
                '5xx',
                'status-codes',
                'cancelled',
                'deadline-exceeded',
                'internal',
                'resource-exhausted',
                'unavailable',
              ]),
            },
            codes: list('Statuses that status-codes means.', integer('Status.', 400, 599), 1, 100),
            backoff: duration('First backoff, doubled each time. Default 25ms.'),
            maxBackoff: duration('Longest backoff. Default ten times the first one.'),
            trustIdempotencyKey: truth(
              'Requests with an Idempotency-Key may be repeated, whatever their method: the service knows such keys and does what one names once. Default false.',
            ),
          },
        ),
        priority: oneOf(
          'Which requests the proxy of a caller, or a gateway, refuses last while it sheds load: Low ones first, Critical ones never. Default Default.',
          ['Low', 'Default', 'High', 'Critical'],
        ),
        connectionPool: object('How connections are kept.', {
          idleTimeout: duration('An idle connection is closed after this. Default 4s.'),
          maxRequestsPerConnection: integer('0: no limit. Default 0.', 0, 1_000_000_000),
          maxIdlePerEndpoint: integer('Idle connections kept an endpoint. Default 64.', 0, 100_000),
          meshProtocol: oneOf(
            'Between proxies of the mesh, whatever the application speaks. Auto: HTTP/2 where the called proxy takes it. HTTP1: HTTP/1.1, but where the application speaks HTTP/2. Default: as the control plane says (--mesh-protocol).',
            ['Auto', 'HTTP1'],
          ),
          sessionResumption: truth(
            'A new connection may resume a TLS session, which costs less; false: a full handshake each time. Default true.',
          ),
        }),
      },
      ['targetRefs'],
    ),
  },
  ['spec'],
);
