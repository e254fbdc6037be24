/**
 * The compliance suite that any Tulle filter runs, tied to no test runner.
 * @packageDocumentation
 */
export { connFilterCompliance, filterCompliance } from './compliance.ts';
export type { ComplianceCase, ComplianceOptions, ConnComplianceOptions } from './subject.ts';
export { withOptionTable } from './readme.ts';
