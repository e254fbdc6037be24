/**
 * The proxy engine: listeners, filter chains, attempts, pools, drain, admin.
 * @packageDocumentation
 */
export { createProxy } from './proxy.ts';
export type { Proxy, ProxyState, ProxyStats, UpdateResult } from './proxy.ts';
export type { AdminAddress, CodeFilterChain, CodeListener, ProxyOptions, ProxyZone } from './options.ts';
export { cluster, httpListener, route, tcpListener } from './code-config.ts';
export type { HttpListenerOptions, RouteOptions, TcpListenerOptions } from './code-config.ts';
export type { ExplainSite, Explanation, Reason } from './explain/explanation.ts';
export { DEFAULT_ENGINE_LIMITS } from './limits.ts';
export type { EngineLimits } from './limits.ts';
export { DEFAULT_OVERLOAD_ACTIONS } from './overload/options.ts';
export type {
  OverloadAction,
  OverloadLimits,
  OverloadOptions,
  OverloadResource,
  OverloadTrigger,
} from './overload/options.ts';
export { nodeResourceMonitor } from './node/resource-monitor.ts';
export { plainKey } from './node/loaded-certificates.ts';
export { nodeTransport } from './node/node-transport.ts';
export type { ListeningHandle, NodeTransportOptions } from './node/node-transport.ts';
export { defaultLog } from './node/default-log.ts';
export type { LeveledLog, LogLevel } from './node/default-log.ts';
export { WRITE_KEPT, WRITE_TAKEN } from './ports.ts';
export type {
  CertificateInfo,
  ClientTls,
  ConnectOptions,
  Listening,
  ListenOwner,
  ResourceMonitor,
  ResourceUse,
  ServerTls,
  Socket,
  SocketEvents,
  SocketFault,
  SocketFaultKind,
  TlsPeer,
  Transport,
  WriteResult,
} from './ports.ts';
