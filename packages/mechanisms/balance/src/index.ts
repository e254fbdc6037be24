/**
 * Endpoint choice and outlier ejection. No platform imports.
 * @packageDocumentation
 */
export { FAILURE, GATEWAY_FAILURE, isFailure, LOCAL_FAILURE, NEUTRAL, SUCCESS } from './endpoint-state.ts';
export type { CheckState, EndpointState, Outcome } from './endpoint-state.ts';
export { addHash, hashText } from './hash-text.ts';
export type { LoadReport } from './load-weights.ts';
export { sipHash, sipKey } from './sip-hash.ts';
export type { SipKey } from './sip-hash.ts';
export { isPrime } from './maglev.ts';
export { createAggregateBalancer } from './aggregate.ts';
export type { AggregateBalancer, AggregateOptions } from './aggregate.ts';
export { createBalancer } from './balancer.ts';
export type { HealthRules, PriorityCount } from './priority-loads.ts';
export type { Balancer, BalancerOptions, DetectionEvent, EjectionEvent } from './balancer.ts';
export type { EjectionReason } from './outlier-detector.ts';
export type { ComparedRates } from './compare-endpoints.ts';
export { localityKey } from './zones.ts';
export type { CallerZones } from './zones.ts';
export { subsetCriteria } from './subsets.ts';
export type { SubsetCriteria } from './subsets.ts';
