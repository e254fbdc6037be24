/**
 * Generates `src/gen` of the package in the working directory: the .proto files named as arguments, and what they
 * import, from `tooling/protos` (Envoy's API and what it imports). Nothing is fetched.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const packageDir = process.cwd();
const root = join(import.meta.dirname, '../../protos/proto');
const paths = process.argv.slice(2);
if (paths.length === 0)
  throw new Error('name the .proto files, e.g. envoy/service/auth/v3/external_auth.proto');
const args = ['generate', root, '--template', join(packageDir, 'buf.gen.yaml'), '--include-imports'];
for (const path of paths) args.push('--path', join(root, path));
const { status, error } = spawnSync('buf', args, { cwd: packageDir, stdio: 'inherit' });
if (error)
  throw new Error('buf did not start; run this as `pnpm generate`, which puts it on PATH', {
    cause: error,
  });
process.exitCode = status ?? 1;
