import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

/** The root of the repository. */
export const ROOT: string = join(import.meta.dirname, '../../../..');

/** The sources of the packages and apps that users get, as one TypeScript program, without their tests. */
export interface Source {
  readonly files: readonly ts.SourceFile[];
  readonly checker: ts.TypeChecker;
}

let opened: Source | undefined;

/** Reads and resolves the sources: some four seconds, once a process. */
export function openSource(): Source {
  if (opened) return opened;
  const exclude = ['**/*.spec.ts', '**/*.test-d.ts', '**/src/gen/**'];
  const names = globSync(
    ['packages/*/*/src/**/*.ts', 'apps/{cli,sidecar,control-plane,gateway,node-proxy}/src/**/*.ts'],
    {
      cwd: ROOT,
      exclude,
    },
  )
    .toSorted()
    .map((name) => join(ROOT, name));
  const { config } = ts.readConfigFile(join(ROOT, 'tooling/tsconfig/base.json'), (path) =>
    ts.sys.readFile(path),
  ) as {
    config: { compilerOptions: Record<string, unknown> };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  const program = ts.createProgram(names, options);
  const wanted = new Set(names);
  const files = program.getSourceFiles().filter((file) => wanted.has(file.fileName));
  return (opened = { files, checker: program.getTypeChecker() });
}

/** Path from the root, as a page prints it. */
export function placeOf(node: ts.Node): string {
  return relative(ROOT, node.getSourceFile().fileName);
}

const packageNames = new Map<string, string>();

/** Name of the package that a node stands in. */
export function packageOf(node: ts.Node): string {
  const directory = placeOf(node).split('/src/')[0] ?? '';
  let name = packageNames.get(directory);
  if (name === undefined) {
    ({ name } = JSON.parse(readFileSync(join(ROOT, directory, 'package.json'), 'utf8')) as { name: string });
    packageNames.set(directory, name);
  }
  return name;
}

/** Every node below one, itself included. */
export function* walk(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  for (const child of children) yield* walk(child);
}

/** The docstring of a node as one line, without its tags; `''` when there is none. */
export function docOf(node: ts.Node): string {
  const docs = ts.getJSDocCommentsAndTags(node).filter((part) => ts.isJSDoc(part));
  const text = docs.map((doc) => ts.getTextOfJSDocComment(doc.comment) ?? '').join(' ');
  return text
    .replace(/\{@link (\S+?)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The directory of a package in the repository. */
export function directoryOf(name: string): string {
  const [file] = globSync('{packages/*,apps}/*/package.json', { cwd: ROOT }).filter(
    (one) => (JSON.parse(readFileSync(join(ROOT, one), 'utf8')) as { name: string }).name === name,
  );
  if (file === undefined) throw new Error(`no package is called ${name}`);
  return dirname(file);
}
