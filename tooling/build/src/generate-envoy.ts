/**
 * Generates `src/gen` of the package in the working directory: the .proto files named as arguments, and what they
 * import. They are those that `@grpc/grpc-js-xds` carries (Apache-2.0): Envoy's API, xDS, googleapis and
 * protoc-gen-validate, merged into one include root. Nothing is fetched.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Source tree and the part taken. googleapis is large, and its `google/protobuf` would shadow buf's own. */
const trees: readonly (readonly [tree: string, part: string])[] = [
  ['envoy-api', 'envoy'],
  ['xds', 'udpa'],
  ['xds', 'xds'],
  ['protoc-gen-validate', 'validate'],
  ['googleapis', 'google/rpc/status.proto'],
];

/** Options for C++ validation and documentation: no wire format, so no code. */
const withoutCode = ['validate', 'udpa.annotations', 'xds.annotations.v3', 'envoy.annotations'];

const packageDir = process.cwd();
const paths = process.argv.slice(2);
if (paths.length === 0)
  throw new Error('name the .proto files, e.g. envoy/service/auth/v3/external_auth.proto');
const xds = createRequire(join(packageDir, 'package.json')).resolve('@grpc/grpc-js-xds/package.json');
const root = mkdtempSync(join(tmpdir(), 'tulle-proto-'));
try {
  for (const [tree, part] of trees)
    cpSync(join(dirname(xds), 'deps', tree, part), join(root, part), { recursive: true });
  dropIgnoreEmpty(join(root, 'envoy'));
  const template = join(packageDir, 'buf.gen.yaml');
  const args = ['generate', root, '--template', template, '--include-imports'];
  for (const path of paths) args.push('--path', join(root, path));
  for (const type of withoutCode) args.push('--exclude-type', type);
  const { status, error } = spawnSync('buf', args, { cwd: packageDir, stdio: 'inherit' });
  if (error)
    throw new Error('buf did not start; run this as `pnpm generate`, which puts it on PATH', {
      cause: error,
    });
  process.exitCode = status ?? 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}

/** The validate.proto carried beside Envoy's files is older than they are, and lacks this field that they set. */
function dropIgnoreEmpty(directory: string): void {
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.proto')) continue;
    const file = join(directory, name);
    const text = readFileSync(file, 'utf8');
    if (text.includes('ignore_empty')) writeFileSync(file, text.replace(/,?\s*ignore_empty: true/g, ''));
  }
}
