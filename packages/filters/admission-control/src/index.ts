/**
 * Admission-control filter.
 * @packageDocumentation
 */
export { admissionControl, NOTE_DENIED } from './admission-control.ts';
