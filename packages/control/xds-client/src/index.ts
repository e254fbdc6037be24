/**
 * The xDS v3 client: delta ADS over gRPC, and Envoy messages to the data-plane model.
 * @packageDocumentation
 */
export { createResourceDecoder } from './decode/resource.ts';
export type { Decoded, DecodeOptions, ResourceDecoder, ResourceModel, ResourceModels } from './decode/resource.ts';
export { HONOURED } from './decode/honoured.ts';
