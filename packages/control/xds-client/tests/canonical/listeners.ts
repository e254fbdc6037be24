import type { FilterChain, Forwarding, HttpHandler, Listener } from '@tulle/model';
import { without, edits, cidr } from './values.ts';
import { entry } from './filters.ts';
import { canonicalRouteConfig } from './routes.ts';
import { tls, canonicalHttp2 } from './clusters.ts';

export function http(handler: HttpHandler, listenerName: string): HttpHandler {
  return without(
    {
      ...handler,
      routes: 'virtualHosts' in handler.routes ? canonicalRouteConfig(handler.routes) : handler.routes,
      filters: handler.filters.map(entry),
      connectionFilters: handler.connectionFilters?.map(entry),
      http2: handler.http2 && canonicalHttp2(handler.http2),
      allowUpgrades: handler.allowUpgrades ?? ['websocket'],
      forwarding: handler.forwarding && forwarding(handler.forwarding),
      requestId: handler.requestId && without(handler.requestId, { generate: true, inResponse: false }),
      serverHeader:
        typeof handler.serverHeader === 'object'
          ? without(handler.serverHeader, { ifAbsent: false })
          : handler.serverHeader,
      localReplies:
        handler.localReplies &&
        without(
          {
            ...handler.localReplies,
            mappers: handler.localReplies.mappers?.map((mapper) =>
              without({ ...mapper, headers: edits(mapper.headers) } as typeof mapper),
            ),
          } as typeof handler.localReplies,
          { mappers: [] },
        ),
      logMoments: momentsOf(handler.logMoments),
      callerControls:
        handler.callerControls && without(handler.callerControls, { checks: [], timeout: false }),
    } as HttpHandler,
    {
      connectionFilters: [],
      statPrefix: listenerName,
      codec: 'auto',
      http2: {},
      allowConnect: false,
      identityHeaders: 'strip',
      serverHeader: 'pass',
      escapedSlashes: 'refuse',
      underscores: 'allow',
      http10: 'accept',
      requestId: {},
      callerControls: {},
    },
  );
}

function forwarding(rules: Forwarding): Forwarding {
  const order = ['subject', 'cert', 'chain', 'dns', 'uri'];
  return without(
    {
      ...rules,
      certificateParts: rules.certificateParts?.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
      internalCidrs: rules.internalCidrs?.map(cidr),
    } as Forwarding,
    { trustedHops: 0, append: true, port: false, clientCertificate: 'sanitize', certificateParts: [] },
  );
}

function momentsOf<Moments extends object>(logMoments: Moments | undefined): Moments | undefined {
  const said = logMoments && without(logMoments, { start: false, connected: false, tunnel: false });
  return said === undefined || Object.keys(said).length === 0 ? undefined : said;
}

function chain(value: FilterChain, listenerName: string): FilterChain {
  const { handler, match } = value;
  return without({
    ...value,
    tls: value.tls && tls(value.tls),
    match:
      match &&
      without(
        {
          ...match,
          destinationCidrs: match.destinationCidrs?.map(cidr),
          directSourceCidrs: match.directSourceCidrs?.map(cidr),
          sourceCidrs: match.sourceCidrs?.map(cidr),
        },
        {
          serverNames: [],
          sourceCidrs: [],
          destinationCidrs: [],
          directSourceCidrs: [],
          applicationProtocols: [],
          sourcePorts: [],
        },
      ),
    handler:
      handler.kind === 'http'
        ? http(handler, listenerName)
        : without(
            {
              ...handler,
              clusters: handler.clusters.map((one) => without(one, { weight: 1 })),
              filters: handler.filters?.map(entry),
              // Said on the wire, where nothing would mean Envoy's number.
              maxConnectAttempts: handler.maxConnectAttempts ?? 3,
              proxyTlvs: handler.proxyTlvs && without(handler.proxyTlvs, { where: 'absent' }),
              logMoments: momentsOf(handler.logMoments),
              tunnel:
                handler.tunnel &&
                without({
                  ...handler.tunnel,
                  headers: edits(handler.tunnel.headers),
                } as typeof handler.tunnel),
            } as FilterChain['handler'],
            { filters: [], statPrefix: listenerName },
          ),
  } as FilterChain);
}

export function canonicalListener(listener: Listener): Listener {
  return without(
    {
      ...listener,
      filterChains: listener.filterChains.map((one) => chain(one, listener.name)),
      connectionFilters: listener.connectionFilters?.map(entry),
      // Of one chain there is no order.
      chainOrder: listener.filterChains.length > 1 ? listener.chainOrder : undefined,
      proxyProtocol:
        listener.proxyProtocol &&
        without(listener.proxyProtocol, {
          optional: false,
          versions: [1, 2],
          tlvsKeptIn: 'metadata',
        }),
      udp:
        listener.udp &&
        without(
          { ...listener.udp, clusters: listener.udp.clusters.map((one) => without(one, { weight: 1 })) },
          { statPrefix: listener.name },
        ),
    } as Listener,
    {
      direction: 'unspecified',
      originalDestination: false,
      connectionFilters: [],
      chainOrder: 'first',
      continueWithoutFirstBytes: false,
    },
  );
}
