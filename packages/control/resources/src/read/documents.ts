import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type Pair,
} from 'yaml';
import { diagnostic, type Diagnostic } from '../diagnostic.ts';
import type { SourcePosition } from '../source-position.ts';

/** A document of a text, as plain data, with the places of its fields. */
export interface ReadDocument {
  readonly value: unknown;
  /** @param at `key`: where the field's name stands, else its value. The nearest ancestor that exists answers. */
  locate(pointer: string, at?: 'key' | 'value'): SourcePosition;
}

/** What was read, and what could not be. */
export interface ReadText {
  readonly documents: readonly ReadDocument[];
  /** What could be made out of documents with syntax faults: good for their names, no more. */
  readonly broken: readonly unknown[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Bounds of reading. */
export interface ReadLimits {
  /** Size of one text. Default 8 MiB: some 10,000 resources; parsing time is bounded by it. */
  readonly maxBytes?: number;
  /** Levels of nesting. Default 64: the deepest kind needs 12. */
  readonly maxDepth?: number;
  /** Syntax faults reported a document. Default 20: a broken quote makes more faults than it is worth reading. */
  readonly maxSyntaxFaults?: number;
}

/**
 * Reads a multi-document YAML text (of which JSON is a part). A fault in one document hides nothing of the others:
 * `---` at the beginning of a line always ends a document (YAML 1.2.2 §9.1.2), so the text is cut there first.
 * Never throws, whatever the text.
 */
export function readDocuments(text: string, file: string, limits: ReadLimits = {}): ReadText {
  const maxBytes = limits.maxBytes ?? 8 * 1024 * 1024;
  if (Buffer.byteLength(text) > maxBytes) {
    const message = `the text has ${Buffer.byteLength(text)} bytes, more than the ${maxBytes} that are read; split it into several files`;
    return {
      documents: [],
      broken: [],
      diagnostics: [diagnostic('TULLE0105', { message, position: { file, line: 1, column: 1 } })],
    };
  }
  const documents: ReadDocument[] = [];
  const broken: unknown[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const chunk of cut(text)) {
    const result = readOne(chunk, file, limits);
    diagnostics.push(...result.diagnostics);
    if (result.document !== undefined) documents.push(result.document);
    if (result.broken !== undefined) broken.push(result.broken);
  }
  return { documents, broken, diagnostics };
}

interface Chunk {
  readonly text: string;
  /** Lines before the chunk. */
  readonly line: number;
}

/** Cuts at document markers; directives stay with the document that follows. */
function cut(text: string): Chunk[] {
  const chunks: Chunk[] = [];
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  let start = 0;
  const push = (end: number): void => {
    const body = lines.slice(start, end).join('\n');
    if (/^[^\S\n]*[^\s#]/m.test(body.replace(/^---(\s|$)/, ''))) chunks.push({ text: body, line: start });
    start = end;
  };
  for (const [i, line] of lines.entries()) {
    if (i === start) continue;
    if (/^---(\s|$)/.test(line) && !onlyDirectives(lines, start, i)) push(i);
    else if (/^\.\.\.(\s|$)/.test(line)) push(i + 1);
  }
  push(lines.length);
  return chunks;
}

function onlyDirectives(lines: readonly string[], from: number, to: number): boolean {
  let directive = false;
  for (let i = from; i < to; i++) {
    const line = lines[i] as string;
    // Indented it is no directive (YAML 1.2 §6.8) but content, if a wrong one.
    if (line.startsWith('%')) directive = true;
    else if (!/^\s*(?:#|$)/.test(line)) return false;
  }
  return directive;
}

function readOne(
  chunk: Chunk,
  file: string,
  limits: ReadLimits,
): { document?: ReadDocument; broken?: unknown; diagnostics: Diagnostic[] } {
  const lineCounter = new LineCounter();
  const place = (offset: number): SourcePosition => {
    const { line, col } = lineCounter.linePos(offset);
    return { file, line: Math.max(1, line) + chunk.line, column: Math.max(1, col) };
  };
  const fault = (code: 'TULLE0101' | 'TULLE0105', message: string, offset: number): Diagnostic =>
    diagnostic(code, { message, position: place(offset) });
  let doc: Document;
  try {
    doc = parseDocument(chunk.text, {
      lineCounter,
      prettyErrors: false,
      logLevel: 'silent',
      merge: true,
      stringKeys: true,
    });
    if (doc.errors.length > 0) {
      const most = limits.maxSyntaxFaults ?? 20;
      const [kind, namespace, name] = [['kind'], ['metadata', 'namespace'], ['metadata', 'name']].map(
        (path) => (isMap(doc.contents) ? doc.getIn(path) : undefined),
      );
      return {
        broken: { kind, metadata: { namespace, name } },
        diagnostics: firstOfEachPlace(doc.errors)
          .slice(0, most)
          .map((e) => fault('TULLE0101', plain(e.message), e.pos[0])),
      };
    }
    if (depthOf(doc.contents, limits.maxDepth ?? 64) > (limits.maxDepth ?? 64)) {
      return {
        diagnostics: [
          fault('TULLE0105', `the document is nested deeper than ${limits.maxDepth ?? 64} levels`, 0),
        ],
      };
    }
    const value = doc.toJS({ maxAliasCount: 100 }) as unknown;
    if (value === null) return { diagnostics: [] }; // nothing between two markers
    return {
      document: { value, locate: (pointer, at) => place(offsetOf(doc, pointer, at ?? 'value')) },
      diagnostics: [],
    };
  } catch (error) {
    // Stack overflow of the parser on deep nesting, or aliases that expand past the limit.
    const message =
      error instanceof RangeError
        ? 'the document is nested too deeply'
        : plain(error instanceof Error ? error.message : String(error));
    return { diagnostics: [fault('TULLE0105', message, 0)] };
  }
}

/** One broken bracket makes several faults at its place: the first says it. */
function firstOfEachPlace<E extends { readonly pos: readonly [number, number] }>(errors: readonly E[]): E[] {
  return errors.filter((e, i) => errors.findIndex((other) => other.pos[0] === e.pos[0]) === i);
}

/** The parser's message in one line, its first letter small. */
function plain(message: string): string {
  const line = message.replace(/\s+/g, ' ').trim();
  return line.charAt(0).toLowerCase() + line.slice(1);
}

function depthOf(root: unknown, limit: number): number {
  let deepest = 0;
  const stack: { node: unknown; depth: number }[] = [{ node: root, depth: 1 }];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { node, depth } = entry;
    deepest = Math.max(deepest, depth);
    if (deepest > limit) return deepest;
    if (isMap(node)) for (const pair of node.items) stack.push({ node: pair.value, depth: depth + 1 });
    else if (isSeq(node)) for (const item of node.items) stack.push({ node: item, depth: depth + 1 });
  }
  return deepest;
}

function offsetOf(doc: Document, pointer: string, at: 'key' | 'value'): number {
  let node: unknown = doc.contents;
  let offset = startOf(node) ?? 0;
  const path = parsePointer(pointer);
  for (const [i, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(doc);
    if (isMap(node)) {
      const pair = findPair(node.items, step);
      if (pair === undefined) return offset;
      const key = startOf(pair.key);
      node = pair.value;
      const value = startOf(node);
      offset =
        (at === 'key' && i === path.length - 1
          ? (key ?? value)
          : emptyValue(node)
            ? (key ?? value)
            : (value ?? key)) ?? offset;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (node === undefined) return offset;
      offset = startOf(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

function findPair(items: readonly Pair[], key: string): Pair | undefined {
  return items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
}

/** `key:` with nothing after it: the place of the null is of no use. */
function emptyValue(node: unknown): boolean {
  return isScalar(node) && node.value === null && node.source === '';
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

/** Steps of a JSON pointer (RFC 6901). */
export function parsePointer(pointer: string): string[] {
  return pointer === ''
    ? []
    : pointer
        .slice(1)
        .split('/')
        .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** A JSON pointer with one step more. */
export function childPointer(pointer: string, step: string | number): string {
  return `${pointer}/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
