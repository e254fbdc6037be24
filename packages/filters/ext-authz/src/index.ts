/**
 * External authorization filter.
 * @packageDocumentation
 */
export { extAuthz, NOTE_ALLOWED, NOTE_DENIED, NOTE_FAILED, NOTE_FAILURE_ALLOWED } from './ext-authz.ts';
export { connExtAuthz } from './conn-ext-authz.ts';
