/**
 * Owns the listening sockets for life and starts engine processes that share them (decision D3).
 * @packageDocumentation
 */
export { createSupervisor } from './supervisor.ts';
export type { Supervisor, SupervisorEvent, SupervisorIdentity, SupervisorOptions } from './supervisor.ts';
export type { SupervisorStatus } from './supervisor-status.ts';
export { createInProcessSupervisor } from './in-process.ts';
export type { InProcessOptions } from './in-process.ts';
export { runEngineProcess } from './engine-process.ts';
export type { EngineProcessOptions } from './engine-process.ts';
export type { AcquiredListener, CreateEngine, Engine, EngineContext, ListenerSource } from './engine.ts';
export { bindSocket, canBindSockets } from './bound-socket.ts';
export type { BoundSocket, SocketHandle } from './bound-socket.ts';
export { serveAdminFront } from './admin-front.ts';
export type { AdminFront, AdminFrontOptions } from './admin-front.ts';
export { createStderrLog, stderrLog, type LogLevel, type StderrLog } from './stderr-log.ts';
export { PROTOCOL_VERSION } from './protocol.ts';
export type { SignedIdentity } from './protocol.ts';
