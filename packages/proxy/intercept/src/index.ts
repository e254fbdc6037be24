/**
 * Transparent capture: where connections were going before rules of the kernel led them to a proxy, and sockets inside other
 * network namespaces.
 * @packageDocumentation
 */
export { kernelDestinations } from './kernel-destinations.ts';
export { networkNamespaces } from './network-namespaces.ts';
export type { NamespaceRef, NetworkNamespace, NetworkNamespaces } from './network-namespaces.ts';
export type { KernelSocketOptions, ListeningDescriptor, ListenOptions } from './kernel-socket.ts';
export { SystemCallError } from './system-calls.ts';
export type { Require } from './system-calls.ts';
