/**
 * Configurations as people publish them, with what is expected of each. For this workspace alone: the package ships without it.
 * @packageDocumentation
 */
export {
  bodyOf,
  configNames,
  configText,
  type Expectation,
  expectations,
  fieldsOf,
  service,
  type ServiceAnswer,
} from './corpus.ts';
export { type Answered, askThroughTunnel } from './through-tunnel.ts';
export { writeCertificates } from './certificates.ts';
export { WAITING } from './waiting.ts';
