import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type Pair,
} from 'yaml';
import { type PathSegment, snakeCase } from '../field-path.ts';

/** A place in a text, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A configuration as it is written. */
export interface ConfigText {
  /** For messages: a file's name, or the flag that has it. */
  readonly name: string;
  /** YAML, and so JSON. */
  readonly text: string;
}

/** What a text says, and where. */
export interface ParsedText {
  readonly name: string;
  /** As JSON has it; `undefined` for an empty text or one that is not well-formed. */
  readonly value: unknown;
  /** What keeps the text from being YAML. */
  readonly faults: readonly { readonly message: string; readonly position: Position | undefined }[];
  /** The node at a path, for {@link ParsedText.child} and {@link ParsedText.positionOf}. */
  readonly root: Located;
}

/** A node of a text, and the key or dash that it stands behind. */
export interface Located {
  child(segment: PathSegment): Located | undefined;
  /** Elements, where it is a list; else 0. */
  readonly length: number;
  readonly position: Position | undefined;
}

/** More references to anchors than this are a bomb, no configuration. */
const MAX_ALIASES = 1_000;

/**
 * Reads YAML 1.2 with anchors and merge keys. A pair whose key has Envoy's tag `!ignore` is left out; anchors within hold.
 */
export function parseText({ name, text }: ConfigText): ParsedText {
  const lines = new LineCounter();
  const positionAt = (offset: number | undefined): Position | undefined => {
    if (offset === undefined) return undefined;
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  try {
    const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
    const faults = document.errors.map(({ message, pos }) => ({ message, position: positionAt(pos[0]) }));
    const root = located(document, document.contents, undefined, positionAt);
    if (faults.length > 0) return { name, value: undefined, faults, root };
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    for (const path of ignoredPaths(document)) removeAt(value, path);
    return { name, value: value ?? undefined, faults, root };
  } catch (error) {
    const message = error instanceof RangeError ? 'is nested too deeply' : reasonOf(error);
    return { name, value: undefined, faults: [{ message, position: undefined }], root: NOWHERE };
  }
}

const NOWHERE: Located = { child: () => undefined, length: 0, position: undefined };

function located(
  document: Document.Parsed,
  given: Node | null | undefined,
  key: Node | undefined,
  positionAt: (offset: number | undefined) => Position | undefined,
): Located {
  const node = isAlias(given) ? given.resolve(document) : given;
  const at = (next: unknown, from?: unknown): Located =>
    located(document, next as Node | null, from as Node | undefined, positionAt);
  return {
    child(segment) {
      if (isSeq(node))
        return typeof segment === 'number' && segment in node.items ? at(node.items[segment]) : undefined;
      if (!isMap(node)) return undefined;
      const pair = node.items.find(({ key: one }) => isKey(one, segment));
      return pair === undefined ? undefined : at(pair.value, pair.key);
    },
    length: isSeq(node) ? node.items.length : 0,
    position: positionAt((key ?? given)?.range?.[0]),
  };
}

const isKey = (key: unknown, segment: PathSegment): boolean => {
  if (!isScalar(key)) return false;
  const text = String(key.value);
  return text === segment || snakeCase(text) === segment;
};

/** Where `!ignore` stands. */
function ignoredPaths(document: Document.Parsed): PathSegment[][] {
  const paths: PathSegment[][] = [];
  visit(document, {
    Pair(_, pair: Pair, ancestors) {
      if (!isScalar(pair.key) || pair.key.tag !== '!ignore') return undefined;
      const path: PathSegment[] = [];
      const chain = [...ancestors, pair];
      for (const [index, node] of chain.entries()) {
        const next = chain[index + 1];
        if (isPair(node) && isScalar(node.key)) path.push(String(node.key.value));
        else if (isSeq(node)) path.push(node.items.indexOf(next));
      }
      paths.push(path);
      return visit.SKIP;
    },
  });
  return paths;
}

function removeAt(value: unknown, path: readonly PathSegment[]): void {
  let holder = value;
  for (const segment of path.slice(0, -1)) {
    if (typeof holder !== 'object' || holder === null) return;
    holder = (holder as Record<PathSegment, unknown>)[segment];
  }
  const last = path.at(-1);
  if (typeof holder === 'object' && holder !== null && last !== undefined)
    delete (holder as Record<PathSegment, unknown>)[last];
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
