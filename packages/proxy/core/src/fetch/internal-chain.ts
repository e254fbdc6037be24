import { EMPTY_TABLE } from '../chain/tables.ts';
import { HttpChain } from '../compile/compiled.ts';
import { FilterSet } from '../compile/filter-set.ts';
import type { Engine } from '../engine.ts';

/** A chain without filters for streams that are the proxy's own: they leave no record. */
export function internalChain(engine: Engine, name: string): HttpChain {
  return new HttpChain({
    name,
    listener: '',
    internal: true,
    generation: 0,
    settings: {
      statPrefix: name,
      earlyEdits: null,
      requestHeadTimeoutMs: 0,
      idleTimeoutMs: 0,
      streamIdleTimeoutMs: 0,
      codecLimits: {},
      codec: 'http1',
      otherwise: [],
      http2: {},
      http2Keepalive: undefined,
      maxReplayBytes: 0,
      allowUpgrades: [],
      allowConnect: false,
      stripIdentityHeaders: false,
      trustedForwarders: undefined,
      forwarding: undefined,
      internalOnly: null,
      pathParameters: 'keep',
      escapedSlashes: 'refuse',
      stripPort: undefined,
      requestId: { generate: true, replaceExternal: false, inResponse: false },
      via: '',
      requestTimeoutMs: 0,
      maxStreamDurationMs: 0,
      delayedCloseMs: undefined,
      drainTimeoutMs: undefined,
      maxConnectionDurationMs: 0,
      maxRequestsPerConnection: 0,
      underscores: 'allow',
      acceptHttp10: true,
      defaultHost: '',
      serverHeader: undefined,
      serverHeaderIfAbsent: false,
      logMoments: undefined,
      localReplies: undefined,
      decorates: undefined,
      onDemand: undefined,
    },
    filters: new FilterSet(engine, [], [], [], new Set()),
    beforeRoute: null,
    unrouted: EMPTY_TABLE,
    matcher: { payloads: [], match: () => undefined, hasHost: () => true, explain: () => undefined },
  });
}
