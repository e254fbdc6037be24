/**
 * Generates `src/gen` from the .proto files that `@grpc/grpc-js-xds` carries (Apache-2.0): the access log service of
 * Envoy's API, and what it is made of. Nothing is fetched.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const here = import.meta.dirname;
const deps = join(dirname(createRequire(import.meta.url).resolve('@grpc/grpc-js-xds/package.json')), 'deps');

const trees: readonly (readonly [tree: string, part: string])[] = [
  ['envoy-api', 'envoy'],
  ['xds', 'udpa'],
  ['xds', 'xds'],
  ['protoc-gen-validate', 'validate'],
  ['googleapis', 'google/rpc/status.proto'],
];
/** Options for C++ validation and documentation: no wire format, so no code. */
const withoutCode = ['validate', 'udpa.annotations', 'xds.annotations.v3', 'envoy.annotations'];

const root = mkdtempSync(join(tmpdir(), 'access-log-proto-'));
try {
  for (const [tree, part] of trees) cpSync(join(deps, tree, part), join(root, part), { recursive: true });
  // The validate.proto carried beside them is older than the Envoy files, which set a field that it lacks.
  for (const name of readdirSync(join(root, 'envoy'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.proto')) continue;
    const file = join(root, 'envoy', name);
    const text = readFileSync(file, 'utf8');
    if (text.includes('ignore_empty')) writeFileSync(file, text.replace(/,?\s*ignore_empty: true/g, ''));
  }
  const args = [
    'generate',
    root,
    '--template',
    join(here, 'buf.gen.yaml'),
    '--include-imports',
    '--path',
    join(root, 'envoy/service/accesslog/v3/als.proto'),
    ...withoutCode.flatMap((type) => ['--exclude-type', type]),
  ];
  const { status, error } = spawnSync('buf', args, { cwd: here, stdio: 'inherit' });
  if (error)
    throw new Error('buf did not start; run this as `pnpm generate`, which puts it on PATH', {
      cause: error,
    });
  process.exitCode = status ?? 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
