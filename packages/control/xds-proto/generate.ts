/**
 * Generates `src/gen` from the .proto files that `@grpc/grpc-js-xds` carries (Apache-2.0): Envoy's API, xDS, googleapis
 * and protoc-gen-validate, merged into one include root. Nothing is fetched.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { areas } from './areas.ts';

const here = import.meta.dirname;
const deps = join(dirname(createRequire(import.meta.url).resolve('@grpc/grpc-js-xds/package.json')), 'deps');

/** Source tree → the parts taken. googleapis is large, and its `google/protobuf` would shadow buf's own. */
const trees: readonly (readonly [tree: string, parts: readonly string[]])[] = [
  ['envoy-api', ['envoy']],
  ['xds', ['udpa', 'xds']],
  ['protoc-gen-validate', ['validate']],
  [
    'googleapis',
    [
      'google/rpc/status.proto',
      'google/api/annotations.proto',
      'google/api/http.proto',
      'google/api/expr/v1alpha1/checked.proto',
      'google/api/expr/v1alpha1/syntax.proto',
    ],
  ],
];

/** Options for C++ validation and documentation: no wire format, so no code. */
const withoutCode = [
  'validate',
  'udpa.annotations',
  'xds.annotations.v3',
  'envoy.annotations',
  'google.api.http',
];

const root = mkdtempSync(join(tmpdir(), 'xds-proto-'));
try {
  for (const [tree, parts] of trees)
    for (const part of parts) cpSync(join(deps, tree, part), join(root, part), { recursive: true });
  cpSync(join(here, 'proto'), root, { recursive: true });
  // The validate.proto carried beside them is older than the Envoy files, which set a field that it lacks.
  for (const name of readdirSync(join(root, 'envoy'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.proto')) continue;
    const file = join(root, 'envoy', name);
    const text = readFileSync(file, 'utf8');
    if (text.includes('ignore_empty')) writeFileSync(file, text.replace(/,?\s*ignore_empty: true/g, ''));
  }
  const args = ['generate', root, '--template', join(here, 'buf.gen.yaml'), '--include-imports'];
  for (const area of areas) args.push('--path', join(root, area));
  for (const type of withoutCode) args.push('--exclude-type', type);
  const { status, error } = spawnSync('buf', args, { cwd: here, stdio: 'inherit' });
  if (error)
    throw new Error('buf did not start; run this as `pnpm generate`, which puts it on PATH', {
      cause: error,
    });
  process.exitCode = status ?? 1;
  if (status === 0) writeRegistry(join(here, 'src/gen'));
} finally {
  rmSync(root, { recursive: true, force: true });
}

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
