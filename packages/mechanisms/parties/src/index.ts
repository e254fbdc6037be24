/**
 * Who called whom: the two ends of a stream as exporters name them. No platform imports.
 * @packageDocumentation
 */
export { createParties } from './parties.ts';
export type { Destination, Parties, SelfLabels, Source } from './parties.ts';
