import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { type Block, ROOT } from './blocks.ts';

/** Where the blocks seem to lie. Every package of this house can be imported there, and what this one depends on. */
const HOME = join(import.meta.dirname, '../blocks');

/**
 * Type-checks blocks as modules under `strict`. Blocks of one page lie in one directory, under the name of their directive
 * `file`, so that they can import each other. Of the other directives, `with` is a line that is put in front of a block, what its page
 * takes for granted; `stub` a module beside it, its name and then its text.
 * @returns what is wrong, with page and line
 */
export function typeFaultsOf(blocks: readonly Block[]): string[] {
  const sources = new Map<
    string,
    { readonly text: string; readonly block: Block; readonly offset: number }
  >();
  for (const [i, block] of blocks.entries()) {
    const preamble = block.directives['with'] === undefined ? '' : `${block.directives['with']}\n`;
    const text = `${preamble}${block.text}\nexport {};\n`;
    const directory = join(HOME, block.page.replaceAll('/', '_'));
    const { file = `block-${i}.ts`, stub } = block.directives;
    sources.set(join(directory, file), { text, block, offset: preamble === '' ? 0 : 1 });
    const [, name, content = ''] = /^(\S+) (.*)$/.exec(stub ?? '') ?? [];
    if (name !== undefined) sources.set(join(directory, name), { text: content, block, offset: 0 });
  }
  const { config } = ts.readConfigFile(join(ROOT, 'tooling/tsconfig/base.json'), (path) =>
    ts.sys.readFile(path),
  ) as {
    config: { compilerOptions: Record<string, unknown> };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  // What is asked of this house's sources is not asked of a reader's.
  const reader = {
    ...options,
    declaration: false,
    isolatedDeclarations: false,
    exactOptionalPropertyTypes: false,
    paths: workspacePaths(),
  };
  const host = ts.createCompilerHost(reader);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (file) => sources.has(file) || fileExists(file);
  const { directoryExists } = host;
  host.directoryExists = (path) =>
    [...sources.keys()].some((file) => file.startsWith(`${path}/`)) || directoryExists?.(path) === true;
  host.readFile = (file) => sources.get(file)?.text ?? readFile(file);
  host.getSourceFile = (file, ...rest) => {
    const source = sources.get(file);
    if (source === undefined) return getSourceFile(file, ...rest);
    return ts.createSourceFile(file, source.text, {
      languageVersion: ts.ScriptTarget.ES2024,
      impliedNodeFormat: ts.ModuleKind.ESNext,
    });
  };
  const program = ts.createProgram([...sources.keys()], reader, host);
  const faults: string[] = [];
  for (const [file, { block, offset }] of sources) {
    const source = program.getSourceFile(file);
    if (source === undefined) throw new Error(`${relative(ROOT, file)} was not read`);
    for (const fault of [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ]) {
      const line = source.getLineAndCharacterOfPosition(fault.start ?? 0).line - offset + 1;
      faults.push(
        `${block.page}:${block.line + line}: ${ts.flattenDiagnosticMessageText(fault.messageText, ' ')}`,
      );
    }
  }
  return faults;
}

/** Sources by specifier, of all that the packages and apps export: a new package is known as soon as it is there. */
function workspacePaths(): Record<string, string[]> {
  const paths: Record<string, string[]> = {};
  for (const manifest of globSync(['packages/*/*/package.json', 'apps/*/package.json'], { cwd: ROOT })) {
    const { name, exports = {} } = JSON.parse(readFileSync(join(ROOT, manifest), 'utf8')) as {
      readonly name: string;
      readonly exports?: Readonly<
        Record<string, string | { readonly types?: string; readonly default: string }>
      >;
    };
    for (const [subpath, target] of Object.entries(exports)) {
      const file = typeof target === 'string' ? target : (target.types ?? target.default);
      paths[join(name, subpath)] = [join(ROOT, dirname(manifest), file)];
    }
  }
  return paths;
}
