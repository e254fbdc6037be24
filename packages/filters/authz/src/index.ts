/**
 * Authorization filter.
 * @packageDocumentation
 */
export {
  authz,
  NOTE_ALLOWED,
  NOTE_DENIED,
  NOTE_LOGGED,
  NOTE_SHADOW_ALLOWED,
  NOTE_SHADOW_DENIED,
} from './authz.ts';
export { connAuthz } from './conn-authz.ts';
