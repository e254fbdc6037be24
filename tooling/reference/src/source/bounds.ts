import ts from 'typescript';
import { docOf, openSource, packageOf, placeOf, walk } from './program.ts';

/** An option that bounds something, or a bound that is fixed. */
export interface Bound {
  readonly packageName: string;
  /** Interface of the option; `''` for a constant. */
  readonly owner: string;
  readonly name: string;
  /** Docstring as one line. */
  readonly doc: string;
}

const OPTION = /^(max|min)[A-Z]|(Ms|Bytes|Count|Limit|Size)$/;
/** Defaults stand at their options. */
const CONSTANT = /^(?!DEFAULT_)([A-Z]+_)*(MAX|MIN|LIMIT|TIMEOUT|BYTES|MS)(_|$)/;

let found: readonly Bound[] | undefined;

/**
 * Every bound of the sources: numeric options whose name says a bound, with what they do by default, and numeric constants.
 * A property without a word on its default is a fact that is reported (`elapsedMs`), not an option.
 */
export function findBounds(): readonly Bound[] {
  if (found) return found;
  const { files } = openSource();
  const bounds: Bound[] = [];
  for (const file of files) {
    if (placeOf(file).startsWith('packages/testing/')) continue;
    for (const node of walk(file)) {
      if (ts.isPropertySignature(node) && ts.isIdentifier(node.name)) {
        const owner = ownerOf(node);
        const doc = docOf(node);
        const numeric = node.type?.kind === ts.SyntaxKind.NumberKeyword;
        if (owner !== undefined && numeric && OPTION.test(node.name.text) && /\bdefault\b/i.test(doc))
          bounds.push({ packageName: packageOf(node), owner, name: node.name.text, doc });
      } else if (ts.isVariableStatement(node) && node.parent === file) {
        for (const { name, initializer } of node.declarationList.declarations) {
          if (!ts.isIdentifier(name) || !CONSTANT.test(name.text)) continue;
          const text = initializer?.getText() ?? '';
          if (!/^[\d_\s*()<.+-]+$/.test(text)) continue;
          bounds.push({
            packageName: packageOf(node),
            owner: '',
            name: name.text,
            doc: `${text}. ${docOf(node)}`,
          });
        }
      }
    }
  }
  return (found = bounds.toSorted(
    (a, b) => compare(a.packageName, b.packageName) || compare(a.owner, b.owner) || compare(a.name, b.name),
  ));
}

/** The exported interface or type that a property stands in, at whatever depth. */
function ownerOf(node: ts.Node): string | undefined {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent)
    if (ts.isInterfaceDeclaration(at) || ts.isTypeAliasDeclaration(at)) return at.name.text;
  return undefined;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
