import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type ExportTarget = string | { readonly types?: string; readonly default?: string };

export interface Manifest {
  readonly name: string;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, ExportTarget>>;
  readonly publishConfig?: Pick<Manifest, 'bin' | 'exports'>;
}

export function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
}

/**
 * The bundler's entries by output name: each `exports` and `bin` of the workspace that points into `src`, paired with
 * what `publishConfig` says it is published as. A path that is published from another place than it is built to, or not
 * published at all, is an error here rather than a broken tarball. What points into `tests` is for this workspace alone.
 */
export function entries(manifest: Manifest): Record<string, string> {
  const built: Record<string, string> = {};
  for (const field of ['exports', 'bin'] as const) {
    for (const [key, target] of Object.entries(manifest[field] ?? {})) {
      const source = typeof target === 'string' ? target : target.default;
      if (!source?.endsWith('.ts') || source.includes('*')) continue; // generated JavaScript is published as it stands
      const publishedTarget = manifest.publishConfig?.[field]?.[key];
      if (source.startsWith('./tests/') && publishedTarget === undefined) continue;
      const name = source.replace(/^\.\/src\//, '').replace(/\.ts$/, '');
      const published = typeof publishedTarget === 'string' ? publishedTarget : publishedTarget?.default;
      if (published !== `./dist/${name}.js`) {
        throw new Error(
          `${manifest.name}: package.json ${field}["${key}"] is ${source}, so publishConfig.${field}["${key}"] must be ./dist/${name}.js, not ${published ?? 'absent'}`,
        );
      }
      built[name] = source;
    }
  }
  return built;
}
