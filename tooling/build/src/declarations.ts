import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/**
 * Writes `dist/**.d.ts` for every source of a package, file by file. `isolatedDeclarations` makes that possible without
 * a type checker, three times faster than a bundled declaration; it must be on, so its faults are errors here.
 */
export function writeDeclarations(directory: string): void {
  const { config } = ts.readConfigFile(join(import.meta.dirname, '../../tsconfig/base.json'), (path) =>
    ts.sys.readFile(path),
  ) as {
    config: { compilerOptions: Record<string, unknown> };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, noEmit: false },
    directory,
  );
  const faults: ts.Diagnostic[] = [];
  for (const file of globSync('src/**/*.ts', {
    cwd: directory,
    exclude: ['src/gen/**', '**/*.spec.ts', '**/*.test-d.ts'],
  })) {
    const source = readFileSync(join(directory, file), 'utf8');
    const { outputText, diagnostics } = ts.transpileDeclaration(source, {
      fileName: join(directory, file),
      compilerOptions: options,
    });
    faults.push(...(diagnostics ?? []));
    const output = join(directory, file.replace(/^src/, 'dist').replace(/\.ts$/, '.d.ts'));
    mkdirSync(dirname(output), { recursive: true });
    writeFileSync(output, outputText);
  }
  if (faults.length > 0) {
    const host = {
      getCanonicalFileName: (name: string) => name,
      getCurrentDirectory: () => directory,
      getNewLine: () => '\n',
    };
    throw new Error(`declarations:\n${ts.formatDiagnostics(faults, host)}`);
  }
}
