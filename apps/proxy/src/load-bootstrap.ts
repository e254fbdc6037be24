import { readFileSync } from 'node:fs';
import {
  type BootstrapIssue,
  type BootstrapText,
  describeIssue,
  readBootstrap,
  translateBootstrap,
  type Translation,
} from '@tulle/envoy-bootstrap';
import type { EnvoyProxyOptions } from './options.ts';

/** A bootstrap cannot be used; the message names every reason. */
export class BootstrapError extends Error {
  readonly code = 'TULLE_ENVOY_BOOTSTRAP';
  readonly issues: readonly BootstrapIssue[];
  constructor(issues: readonly BootstrapIssue[]) {
    super(issues.map(describeIssue).join('\n'));
    this.name = 'BootstrapError';
    this.issues = issues;
  }
}

/** A bootstrap that can be used. */
export interface LoadedBootstrap {
  readonly text: BootstrapText;
  readonly translation: Translation;
  /** Said once: fields that do nothing, and fields that were left out. */
  readonly notes: readonly string[];
  /** Fields that are not honoured, since the operator lets them pass. */
  readonly findings: readonly string[];
}

/**
 * Reads what the options name: the file, the text, the files of secrets.
 * @throws BootstrapError with everything that keeps it from being used
 */
export function loadBootstrap(options: EnvoyProxyOptions): LoadedBootstrap {
  const { configPath, configYaml } = options;
  if (configPath === undefined && configYaml === undefined)
    throw new BootstrapError([{ path: '', message: 'no bootstrap is given: name a file or a text' }]);
  if (configPath?.endsWith('.pb_text') === true)
    throw new BootstrapError([
      {
        path: '',
        source: configPath,
        message: "is protobuf's text format, which is not read; give YAML, JSON or .pb",
      },
    ]);
  const text = readBootstrap(
    {
      ...(configPath !== undefined && { file: fileOf(configPath) }),
      ...(configYaml !== undefined && { inline: { name: '--config-yaml', text: configYaml } }),
    },
    { allowUnknownFields: options.allowUnknownStaticFields ?? false },
  );
  const translation = translateBootstrap(text, {
    ...(options.serviceNode !== undefined && { serviceNode: options.serviceNode }),
    ...(options.serviceCluster !== undefined && { serviceCluster: options.serviceCluster }),
    ...(options.serviceZone !== undefined && { serviceZone: options.serviceZone }),
    ...(options.tolerateFields && { tolerateFields: options.tolerateFields }),
  });
  if (translation.issues.length > 0) throw new BootstrapError(translation.issues);
  return {
    text,
    translation,
    notes: translation.notes,
    findings: [
      ...text.leftOut.map((issue) => `left out: ${describeIssue(issue)}`),
      ...(options.tolerateFields ?? []).map((field) => `${field} is read over where it is set`),
    ],
  };
}

function fileOf(path: string): { name: string; text: string } | { name: string; bytes: Uint8Array } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new BootstrapError([
      {
        path: '',
        source: path,
        message: `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      },
    ]);
  }
  return path.endsWith('.pb') ? { name: path, bytes } : { name: path, text: bytes.toString('utf8') };
}
