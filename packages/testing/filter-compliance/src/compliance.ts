import type { ConnFilter } from '@tulle/filter';
import { connCases } from './conn-cases.ts';
import { definitionCases } from './definition-cases.ts';
import type { FilterUnderTest } from './observed-filter.ts';
import { runCases } from './run-cases.ts';
import type { ComplianceCase, ComplianceOptions, ConnComplianceOptions, Subject } from './subject.ts';

/**
 * The compliance suite of HTTP filters: what the contract asks of each, run through the production engine in memory and
 * virtual time. Tied to no test runner.
 *
 * ```ts
 * describe('compliance', () => {
 *   for (const { name, run } of filterCompliance({ filter: greet, validConfigs: [{ greeting: 'hello' }], invalidConfigs: [{ config: {}, pointers: [''] }] })) it(name, run);
 * });
 * ```
 */
export function filterCompliance(options: ComplianceOptions): readonly ComplianceCase[] {
  const subject: Subject = { ...options, filter: options.filter as unknown as FilterUnderTest };
  return [...definitionCases(subject), ...runCases(subject)];
}

/**
 * The compliance suite of connection (layer 4) filters, run in front of HTTP and in a TCP chain.
 *
 * ```ts
 * for (const { name, run } of connFilterCompliance({ filter: ipAllow, validConfigs: [{ deny: ['192.0.2.0/24'] }], invalidConfigs: [{ config: { dney: [] }, pointers: ['/dney'] }] })) it(name, run);
 * ```
 */
export function connFilterCompliance(options: ConnComplianceOptions): readonly ComplianceCase[] {
  return connCases({ ...options, filter: options.filter as unknown as ConnFilter<unknown, unknown> });
}
