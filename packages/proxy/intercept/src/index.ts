/**
 * Transparent capture: where connections were going before rules of the kernel led them to a proxy, and sockets inside other
 * network namespaces.
 * @packageDocumentation
 */
export { kernelDestinations } from './kernel-destinations.ts';
export { networkNamespaces } from './network-namespaces.ts';
export type { NamespaceRef, NetworkNamespace, NetworkNamespaces } from './network-namespaces.ts';
export { connectionQueues } from './kernel-socket.ts';
export type { KernelSocketOptions, ListeningDescriptor, ListenOptions } from './kernel-socket.ts';
export { SystemCallError } from './system-calls.ts';
export type { Require } from './system-calls.ts';
export { missingForCapture } from './capture-needs.ts';
export { captureCommands } from './capture-rules.ts';
export type {
  CaptureRules,
  CaptureScope,
  CaptureSparing,
  InboundCapture,
  InboundRest,
  OutboundCapture,
} from './capture-rules.ts';
export { holdRules } from './rule-holder.ts';
export type { HeldRules, HoldOptions } from './rule-holder.ts';
export { makeCgroup, sweepCgroups } from './cgroup.ts';
export type { Cgroup } from './cgroup.ts';
export { startDnsResponder } from './dns/dns-responder.ts';
export type { DnsCounters, DnsResponder, DnsResponderOptions, DnsSockets } from './dns/dns-responder.ts';
export { systemResolvers } from './dns/resolvers.ts';
export type { ResolverSockets } from './dns/resolvers.ts';
export { holdRulesFor } from './guard.ts';
export { dropCommands, dropRules, keepRules } from './lasting-rules.ts';
