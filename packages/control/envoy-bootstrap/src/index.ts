/**
 * Reads an Envoy v3 bootstrap and translates it to the data-plane model, totally: what is not done is refused by name.
 * @packageDocumentation
 */
export { readBootstrap } from './read-bootstrap.ts';
export type { BootstrapSources, BootstrapText, ReadOptions } from './read-bootstrap.ts';
export { translateBootstrap } from './translate.ts';
export type { TranslateOptions, Translation } from './translate.ts';
export { type Discovery, type GrpcSource, serverFor } from './discovery.ts';
export type { BootstrapOverload } from './overload.ts';
export type { NodeFlags } from './node-of.ts';
export { readResourceFile } from './resource-file.ts';
export { type BootstrapIssue, describeIssue } from './issue.ts';
export type { ConfigText, Position } from './text/config-text.ts';
export { bootstrapTypes } from './types.ts';
