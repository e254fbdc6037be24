/**
 * Unix sockets that a killed process left behind, told from those in use.
 * @packageDocumentation
 */
export { removeStaleSocket, socketState } from './stale-socket.ts';
export type { SocketState } from './stale-socket.ts';
