/**
 * The compliance suite that any Tulle filter runs, tied to no test runner.
 * @packageDocumentation
 */
export { filterCompliance } from './compliance.ts';
export type { ComplianceCase, ComplianceOptions } from './subject.ts';
export { withOptionTable } from './readme.ts';
