import { create, fromBinary, fromJson, merge, type Message, type Registry } from '@bufbuild/protobuf';
import { type Bootstrap, BootstrapSchema } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import { isUnder, parsePath } from './field-path.ts';
import type { BootstrapIssue } from './issue.ts';
import {
  type ConfigText,
  type Located,
  type ParsedText,
  parseText,
  type Position,
} from './text/config-text.ts';
import { readableJson } from './text/read-json.ts';
import { ACCEPTED } from './accepted.ts';
import { bootstrapTypes } from './types.ts';

/** Where a bootstrap is written. */
export interface BootstrapSources {
  /** Text of `--config-path`, or the bytes of one that ends in `.pb`. */
  readonly file?: ConfigText | { readonly name: string; readonly bytes: Uint8Array };
  /** Text of `--config-yaml`: merged over the file as protobuf merges (Envoy: `Bootstrap.MergeFrom`). */
  readonly inline?: ConfigText;
}

/** What an operator lets pass when a bootstrap is read. */
export interface ReadOptions {
  /** Envoy's `--allow-unknown-static-fields`: fields that the messages do not have are left out and told, instead of refused. */
  readonly allowUnknownFields?: boolean;
}

/** Nothing comes of what stands there, so extensions need not be known. */
const OPAQUE: readonly string[] = [...ACCEPTED.map(({ name }) => name), 'admin.access_log'];

/** A bootstrap that was read as far as it can be. */
export interface BootstrapText {
  readonly bootstrap: Bootstrap;
  /** What could not be read, all of it. Such a bootstrap is not to be used. */
  readonly issues: readonly BootstrapIssue[];
  /** Fields that were left out since `allowUnknownFields` says so. */
  readonly leftOut: readonly BootstrapIssue[];
  /** An issue of the message, with its place in the text. */
  locate(path: string, message: string): BootstrapIssue;
  /** Whether something at this path could not be read, so that translators will miss it. */
  isDropped(path: string): boolean;
}

/**
 * Reads a bootstrap. Nothing is thrown: what cannot be read is told with its path, line and column, everything at once.
 * @param registry what may stand in an `Any`. Default: everything that this proxy translates
 */
export function readBootstrap(
  { file, inline }: BootstrapSources,
  { allowUnknownFields = false }: ReadOptions = {},
  registry: Registry = bootstrapTypes,
): BootstrapText {
  const issues: BootstrapIssue[] = [];
  const leftOut: BootstrapIssue[] = [];
  const dropped: string[] = [];
  const texts: ParsedText[] = [];
  const bootstrap = create(BootstrapSchema);
  const add = (message: Message | undefined): void => {
    if (message !== undefined) merge(BootstrapSchema, bootstrap, message as Bootstrap);
  };

  function readText(given: ConfigText): Bootstrap | undefined {
    const parsed = parseText(given);
    texts.push(parsed);
    const { name: source, faults, value } = parsed;
    for (const { message, position } of faults)
      issues.push({ path: '', message, source, ...(position && { position }) });
    if (faults.length > 0) return undefined;
    if (value === undefined) return void issues.push({ path: '', message: 'is empty', source });
    const at = (path: string, message: string): BootstrapIssue => located([parsed], path, message);
    const json = readableJson(BootstrapSchema, value, {
      registry,
      report: (path, message) => void issues.push(at(path, message)),
      unknown: (path, message) => void (allowUnknownFields ? leftOut : issues).push(at(path, message)),
      dropped: (path) => void dropped.push(path),
      opaque: (path) => OPAQUE.some((root) => isUnder(path, root)),
    });
    try {
      return fromJson(BootstrapSchema, json, { registry });
    } catch (error) {
      return void issues.push(at('', error instanceof Error ? error.message : String(error)));
    }
  }

  if (file !== undefined && 'bytes' in file) {
    try {
      add(fromBinary(BootstrapSchema, file.bytes));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      issues.push({
        path: '',
        message: `is no envoy.config.bootstrap.v3.Bootstrap: ${reason}`,
        source: file.name,
      });
    }
  } else if (file !== undefined) add(readText(file));
  if (inline !== undefined) add(readText(inline));
  return {
    bootstrap,
    issues,
    leftOut,
    locate: (path, message) => located(texts, path, message),
    isDropped: (path) => dropped.some((root) => isUnder(path, root)),
  };
}

function located(texts: readonly ParsedText[], path: string, message: string): BootstrapIssue {
  const found = placeOf(texts, path);
  return { path, message, ...found };
}

/** The nearest node of a path that is written somewhere. Lists of several texts stand one after the other, as they are merged. */
function placeOf(
  texts: readonly ParsedText[],
  path: string,
): { readonly source?: string; readonly position?: Position } {
  let nodes: readonly { readonly source: string; readonly node: Located }[] = texts.map(({ name, root }) => ({
    source: name,
    node: root,
  }));
  let last = nodes.length === 1 ? nodes[0] : undefined;
  for (const segment of parsePath(path)) {
    let index = typeof segment === 'number' ? segment : 0;
    const next: { readonly source: string; readonly node: Located }[] = [];
    for (const { source, node } of nodes) {
      if (typeof segment === 'number' && index >= node.length) {
        index -= node.length;
        continue;
      }
      const child = node.child(typeof segment === 'number' ? index : segment);
      if (child !== undefined) next.push({ source, node: child });
      if (typeof segment === 'number') break;
    }
    if (next.length === 0) break;
    nodes = next;
    last = next.at(-1);
  }
  if (last === undefined) return {};
  const { position } = last.node;
  return { source: last.source, ...(position && { position }) };
}
