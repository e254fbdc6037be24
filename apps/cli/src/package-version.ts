import { readFile } from 'node:fs/promises';

/**
 * The version in this command's package.json. The file is looked for one directory up, which is right from `src` and from a
 * bundle in `dist` alike: this module must stay at the top of `src`.
 */
export async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
