/**
 * One proxy for the workloads of a node: layer 4, mutual TLS, tunnels by HBONE.
 * @packageDocumentation
 */
export { liftLeftRules, startNodeProxy } from './node-proxy.ts';
export type { NodeProxy, NodeProxyOptions, NodeProxyStatus } from './node-proxy.ts';
export { keyOf, readWorkload } from './workload.ts';
export type { NodeWorkload } from './workload.ts';
export { liftingCommand } from './workload-rules.ts';
export type { IfProxyDies } from './workload-rules.ts';
