import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

const here = createRequire(import.meta.url);
const directoryOf = (name: string): string => dirname(here.resolve(`${name}/package.json`));
const packages = join(import.meta.dirname, '../node_modules');

/** Compilers by what a module is written against. */
const COMPILERS = {
  'by-header': (directory: string): string[] => {
    const shim = directoryOf('@assemblyscript/wasi-shim');
    const uses = ['console', 'crypto', 'performance', 'process', 'Date', 'seed', 'trace'];
    return [
      join(directoryOf('assemblyscript'), 'bin/asc.js'),
      ...[
        '--lib',
        relative(directory, join(shim, 'assembly')),
        '--exportStart',
        '_start',
        '--use',
        'ASC_WASI=1',
      ],
      ...uses.flatMap((use) => ['--use', `${use}=wasi_${use}`]),
      ...['--use', 'abort=abort_proc_exit', '-o'],
    ];
  },
  older: (_directory: string): string[] => [
    join(directoryOf('assemblyscript-0.14'), 'bin/asc'),
    ...['--use', 'abort=abort_proc_exit', '-b'],
  ],
} as const;

/** Compiles a module of `modules/`, with the SDK that it is written against, which is not ours. Two seconds. */
export function buildModule(name: keyof typeof COMPILERS): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'tulle-wasm-'));
  try {
    // The compiler takes no other ending.
    copyFileSync(join(import.meta.dirname, `modules/${name}.as`), join(directory, 'module.ts'));
    const [compiler = '', ...options] = COMPILERS[name](directory);
    execFileSync(
      process.execPath,
      [compiler, 'module.ts', '--path', packages, ...options, 'module.wasm', '--optimize'],
      { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    return readFileSync(join(directory, 'module.wasm'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
