import ts from 'typescript';
import { walk } from './program.ts';

/** What a parameter stands for at one place of call. */
export type Bindings = ReadonlyMap<ts.ParameterDeclaration, ts.Expression>;

/** Texts of some expressions, together, for one way of calling the functions around them. */
export interface Row {
  readonly texts: readonly string[];
  readonly bindings: Bindings;
}

/** Finds out what expressions are, from the source alone. */
export interface Evaluator {
  /**
   * Texts of expressions, once for each way in which the functions around them are called.
   * @param keyed an object whose keys matter too
   * @returns undefined when a text depends on something that only a run knows
   */
  rows(expressions: readonly ts.Expression[], keyed: ts.Expression | undefined): readonly Row[] | undefined;
  /** Keys of an object: of a literal its own, of anything else those of its type. */
  keys(expression: ts.Expression, bindings: Bindings): readonly string[];
}

/** Ways of calling that are followed at most; more means that this is no constant. */
const MAX_ROWS = 200;

export function createEvaluator(files: readonly ts.SourceFile[], checker: ts.TypeChecker): Evaluator {
  const calls = indexCalls(files, checker);

  /** The declaration behind a name, across shorthand properties. */
  function declarationOf(name: ts.Node): ts.Declaration | undefined {
    const symbol =
      ts.isIdentifier(name) && ts.isShorthandPropertyAssignment(name.parent)
        ? checker.getShorthandAssignmentValueSymbol(name.parent)
        : checker.getSymbolAtLocation(name);
    const real =
      symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return real?.valueDeclaration;
  }

  /** A parameter that texts of this expression depend on and that is not bound yet. */
  function freeParameter(expression: ts.Expression, bindings: Bindings): ts.ParameterDeclaration | undefined {
    for (const node of walk(expression)) {
      if (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) break;
      if (!ts.isIdentifier(node)) continue;
      const declaration = declarationOf(node);
      if (declaration === undefined || !ts.isParameter(declaration)) continue;
      const bound = bindings.get(declaration);
      const free = bound === undefined ? declaration : freeParameter(bound, bindings);
      if (free !== undefined) return free;
    }
    return undefined;
  }

  /** A parameter that the keys of an object depend on and that is not bound yet. Values matter to nobody. */
  function freeKeyParameter(
    expression: ts.Expression,
    bindings: Bindings,
  ): ts.ParameterDeclaration | undefined {
    const node = bareOf(expression);
    if (ts.isConditionalExpression(node))
      return freeKeyParameter(node.whenTrue, bindings) ?? freeKeyParameter(node.whenFalse, bindings);
    if (ts.isIdentifier(node)) {
      const declaration = declarationOf(node);
      if (declaration === undefined || !ts.isParameter(declaration) || !isOpen(node)) return undefined;
      const bound = bindings.get(declaration);
      return bound === undefined ? declaration : freeKeyParameter(bound, bindings);
    }
    if (!ts.isObjectLiteralExpression(node)) return undefined;
    for (const property of node.properties) {
      const free = ts.isSpreadAssignment(property)
        ? freeKeyParameter(property.expression, bindings)
        : property.name !== undefined && ts.isComputedPropertyName(property.name)
          ? freeParameter(property.name.expression, bindings)
          : undefined;
      if (free !== undefined) return free;
    }
    return undefined;
  }
  /** Whether the type says no more than "texts by some keys". */
  function isOpen(expression: ts.Expression): boolean {
    return checker.getTypeAtLocation(expression).getProperties().length === 0;
  }

  function textsOf(expression: ts.Expression, bindings: Bindings): readonly string[] | undefined {
    const node = bareOf(expression);
    if (ts.isStringLiteralLike(node)) return [node.text];
    if (ts.isTemplateExpression(node)) {
      let texts: readonly string[] | undefined = [node.head.text];
      for (const { expression: part, literal } of node.templateSpans) {
        const parts = textsOf(part, bindings);
        texts =
          parts === undefined
            ? undefined
            : texts?.flatMap((text) => parts.map((one) => text + one + literal.text));
      }
      return texts;
    }
    if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
      const [left, right] = [textsOf(node.left, bindings), textsOf(node.right, bindings)];
      return left === undefined || right === undefined
        ? undefined
        : left.flatMap((l) => right.map((r) => l + r));
    }
    if (ts.isConditionalExpression(node)) {
      const [yes, no] = [textsOf(node.whenTrue, bindings), textsOf(node.whenFalse, bindings)];
      return yes === undefined || no === undefined ? undefined : [...yes, ...no];
    }
    if (ts.isIdentifier(node)) {
      const declaration = declarationOf(node);
      if (declaration === undefined) return undefined;
      if (ts.isParameter(declaration)) {
        const bound = bindings.get(declaration);
        return bound === undefined ? undefined : textsOf(bound, bindings);
      }
      return ts.isVariableDeclaration(declaration) && declaration.initializer !== undefined
        ? textsOf(declaration.initializer, bindings)
        : undefined;
    }
    if (ts.isElementAccessExpression(node)) {
      const keys = textsOf(node.argumentExpression, bindings);
      return keys?.flatMap((key) => memberTexts(node.expression, key, bindings) ?? []);
    }
    if (ts.isPropertyAccessExpression(node)) return memberTexts(node.expression, node.name.text, bindings);
    return undefined;
  }

  function memberTexts(
    object: ts.Expression,
    key: string,
    bindings: Bindings,
  ): readonly string[] | undefined {
    const declaration = declarationOf(object);
    if (
      declaration === undefined ||
      !ts.isVariableDeclaration(declaration) ||
      declaration.initializer === undefined
    )
      return undefined;
    const literal = bareOf(declaration.initializer);
    const members = ts.isCallExpression(literal) ? literal.arguments[0] : literal; // Object.freeze({ … })
    if (members === undefined || !ts.isObjectLiteralExpression(members)) return undefined;
    const member = members.properties.find(
      (one): one is ts.PropertyAssignment =>
        ts.isPropertyAssignment(one) &&
        (ts.isStringLiteralLike(one.name) ? one.name.text : one.name.getText()) === key,
    );
    return member === undefined ? undefined : textsOf(member.initializer, bindings);
  }

  function rows(
    expressions: readonly ts.Expression[],
    keyed: ts.Expression | undefined,
    bindings: Bindings = new Map(),
  ): readonly Row[] | undefined {
    const free =
      expressions.map((one) => freeParameter(one, bindings)).find((one) => one !== undefined) ??
      (keyed === undefined ? undefined : freeKeyParameter(keyed, bindings));
    if (free === undefined) {
      const texts = expressions.map((one) => textsOf(one, bindings));
      if (texts.some((one) => one === undefined || one.length === 0)) return undefined;
      const count = Math.max(...texts.map((one) => one?.length ?? 0));
      return Array.from({ length: count }, (_, i) => ({
        texts: texts.map((one) => one?.[i] ?? one?.[0] ?? ''),
        bindings,
      }));
    }
    const all: Row[] = [];
    for (const call of calls(free.parent)) {
      const argument = call.arguments[free.parent.parameters.indexOf(free)] ?? free.initializer;
      if (argument === undefined) return undefined;
      // The other parameters are those of the same call.
      const bound = new Map(bindings);
      free.parent.parameters.forEach((parameter, i) => {
        const given = call.arguments[i] ?? parameter.initializer;
        if (given !== undefined) bound.set(parameter, given);
      });
      const more = rows(expressions, keyed, bound);
      if (more === undefined || all.length + more.length > MAX_ROWS) return undefined;
      all.push(...more);
    }
    return all.length === 0 ? undefined : all;
  }

  function keys(expression: ts.Expression, bindings: Bindings): readonly string[] {
    const node = bareOf(expression);
    if (ts.isConditionalExpression(node))
      return [...keys(node.whenTrue, bindings), ...keys(node.whenFalse, bindings)];
    if (ts.isObjectLiteralExpression(node))
      return node.properties.flatMap((property) => {
        if (ts.isSpreadAssignment(property)) return keys(property.expression, bindings);
        if (property.name === undefined) return [];
        if (ts.isComputedPropertyName(property.name))
          return textsOf(property.name.expression, bindings) ?? [];
        return [ts.isStringLiteralLike(property.name) ? property.name.text : property.name.getText()];
      });
    if (ts.isIdentifier(node)) {
      const declaration = declarationOf(node);
      const bound =
        declaration !== undefined && ts.isParameter(declaration) ? bindings.get(declaration) : undefined;
      if (bound !== undefined) return keys(bound, bindings);
      if (
        declaration !== undefined &&
        ts.isVariableDeclaration(declaration) &&
        isOpen(node) &&
        declaration.initializer
      )
        return keys(declaration.initializer, bindings);
    }
    const names = checker
      .getTypeAtLocation(node)
      .getProperties()
      .map((property) => property.name);
    return names.length === 0 && ts.isPropertyAccessExpression(node) ? keysOfMember(node, bindings) : names;
  }

  /** Keys of `object.member` whose type says nothing: of what the same file makes such an object with. */
  function keysOfMember(node: ts.PropertyAccessExpression, bindings: Bindings): readonly string[] {
    const owner = checker.getTypeAtLocation(node.expression).getSymbol();
    for (const literal of walk(node.getSourceFile())) {
      if (!ts.isObjectLiteralExpression(literal)) continue;
      const member = literal.properties.find((one) => one.name?.getText() === node.name.text);
      if (member === undefined || checker.getContextualType(literal)?.getSymbol() !== owner) continue;
      if (ts.isShorthandPropertyAssignment(member)) return keys(member.name, bindings);
      if (ts.isPropertyAssignment(member)) return keys(member.initializer, bindings);
    }
    return [];
  }

  return { rows: (expressions, keyed) => rows(expressions, keyed), keys };
}

/** Without parentheses and type assertions. */
function bareOf(expression: ts.Expression): ts.Expression {
  let node = expression;
  while (
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node)
  )
    node = node.expression;
  return node;
}

/** Gives the places at which a function is called. Names are compared first: asking the checker is what costs. */
function indexCalls(
  files: readonly ts.SourceFile[],
  checker: ts.TypeChecker,
): (made: ts.Node) => readonly ts.CallExpression[] {
  const byName = new Map<string, ts.CallExpression[]>();
  for (const file of files) {
    for (const node of walk(file)) {
      if (!ts.isCallExpression(node)) continue;
      const name = calleeName(node);
      if (name === undefined) continue;
      const list = byName.get(name.text);
      if (list === undefined) byName.set(name.text, [node]);
      else list.push(node);
    }
  }
  return (made) => {
    const declared = ts.isVariableDeclaration(made.parent)
      ? made.parent
      : (made as ts.FunctionLikeDeclaration);
    const { name } = declared;
    if (name === undefined || !(ts.isIdentifier(name) || ts.isPrivateIdentifier(name))) return [];
    return (byName.get(name.text) ?? []).filter((call) => {
      let symbol = checker.getSymbolAtLocation(calleeName(call) as ts.Node);
      if (symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias)
        symbol = checker.getAliasedSymbol(symbol);
      return symbol?.valueDeclaration === declared;
    });
  };
}

function calleeName(call: ts.CallExpression): ts.Identifier | ts.PrivateIdentifier | undefined {
  const name = ts.isPropertyAccessExpression(call.expression) ? call.expression.name : call.expression;
  return ts.isIdentifier(name) || ts.isPrivateIdentifier(name) ? name : undefined;
}
