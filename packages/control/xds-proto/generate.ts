/** Generates `src/gen` from the .proto files in `tooling/protos` (Envoy's API and what it imports). Nothing is fetched. */
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { areas } from './areas.ts';

const here = import.meta.dirname;
const root = join(here, '../../../tooling/protos/proto');

const args = ['generate', root, '--template', join(here, 'buf.gen.yaml'), '--include-imports'];
for (const area of areas) args.push('--path', join(root, area));
const { status, error } = spawnSync('buf', args, { cwd: here, stdio: 'inherit' });
if (error)
  throw new Error('buf did not start; run this as `pnpm generate`, which puts it on PATH', {
    cause: error,
  });
process.exitCode = status ?? 1;
if (status === 0) writeRegistry(join(here, 'src/gen'));

/** A module with every message that there is, for who reads JSON or an `Any` of any type. */
function writeRegistry(directory: string): void {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('_pb.js'))
    .toSorted();
  const imports = files.map((name, i) => {
    const exported = `file_${name.slice(0, -'_pb.js'.length).replaceAll(/[^a-zA-Z0-9]/g, '_')}`;
    return `import { ${exported} as f${i} } from './${name}';`;
  });
  const wellKnown = ['any', 'duration', 'empty', 'field_mask', 'struct', 'timestamp', 'wrappers'].map(
    (name) => `file_google_protobuf_${name}`,
  );
  const list = [...wellKnown, ...files.map((_, i) => `f${i}`)].join(', ');
  writeFileSync(
    join(directory, 'registry_pb.js'),
    `import { createRegistry } from '@bufbuild/protobuf';\nimport { ${wellKnown.join(', ')} } from '@bufbuild/protobuf/wkt';\n${imports.join('\n')}\n\nexport const registry = /*@__PURE__*/ createRegistry(${list});\n`,
  );
  writeFileSync(
    join(directory, 'registry_pb.d.ts'),
    "import type { Registry } from '@bufbuild/protobuf';\n\n/** Every message and enum of this package. */\nexport declare const registry: Registry;\n",
  );
}
