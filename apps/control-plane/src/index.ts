/**
 * Tulle's control plane as a program, and as a function for demos and tests.
 * @packageDocumentation
 */
export { startControlPlane } from './start.ts';
export type { Endpoints } from './endpoints.ts';
export type { RunningControlPlane, StartOptions } from './start.ts';
