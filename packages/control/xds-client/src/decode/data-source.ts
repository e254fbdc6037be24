import { Buffer } from 'node:buffer';
import type { DataSource } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { DecodeContext } from './context.ts';

/** What stands in a file, or here. */
export type Data = { readonly file: string } | { readonly text: string };

/**
 * Text from any of the places that a `DataSource` may name; what is in the environment of this process is read now.
 * @returns `undefined` where there is none, and after an issue
 */
export function decodeText(
  context: DecodeContext,
  source: DataSource | undefined,
  path: string,
): Data | undefined {
  if (source === undefined) return undefined;
  const { specifier } = source;
  switch (specifier.case) {
    case 'filename':
      return { file: specifier.value };
    case 'inlineString':
      return { text: specifier.value };
    case 'inlineBytes':
      return { text: Buffer.from(specifier.value).toString('utf8') };
    case 'environmentVariable': {
      const text = process.env[specifier.value];
      if (text !== undefined && text !== '') return { text };
      context.refuse(
        `${path}.environment_variable`,
        `the environment of this process has no ${JSON.stringify(specifier.value)}, or it is empty`,
      );
      return undefined;
    }
    default:
      context.refuse(path, 'is empty: give a filename, inline_string, inline_bytes or environment_variable');
      return undefined;
  }
}
