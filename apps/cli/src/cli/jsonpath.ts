import { usageError } from './exit-codes.ts';

/** Text of a template over a document. */
export type JsonPathTemplate = (document: unknown) => string;

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'path'; readonly values: (from: unknown) => readonly unknown[] }
  | {
      readonly kind: 'range';
      readonly values: (from: unknown) => readonly unknown[];
      readonly parts: readonly Part[];
    };

/** Evaluates a path on a document. */
export type Query = (document: unknown) => readonly unknown[];

/**
 * A path as kubectl's users write it, `.items[*].metadata.name`, `{.a}`, or in full, `$.a` (RFC 9535).
 * @throws CliError 64 that shows where it is wrong
 */
export async function jsonPath(text: string): Promise<Query> {
  const { jsonpath } = await import('json-p3');
  const bare = /^\{(.*)\}$/s.exec(text.trim())?.[1] ?? text.trim();
  const path = /^[$@]/.test(bare) ? `$${bare.slice(1)}` : `$${/^[.[]/.test(bare) ? '' : '.'}${bare}`;
  try {
    const query = jsonpath.compile(path === '$.' ? '$' : path);
    return (document) => query.query(document as never).values();
  } catch (error) {
    throw usageError(
      `${JSON.stringify(text)} is no JSONPath: ${error instanceof Error ? error.message : String(error)}`,
      'e.g. {.items[*].metadata.name}, or in full $.items[?@.kind == "Service"]',
    );
  }
}

/**
 * kubectl's templates: text, `{path}`, `{"literal\n"}` and `{range path}…{end}`, in which a path starts at the item. Several
 * values of a path are separated by blanks.
 * @throws CliError 64
 */
export async function jsonPathTemplate(template: string): Promise<JsonPathTemplate> {
  const top: Part[] = [];
  const open: { readonly path: string; readonly parts: Part[] }[] = [];
  const parts = (): Part[] => open.at(-1)?.parts ?? top;
  const text = template.includes('{') ? template : `{${template}}`;
  let at = 0;
  for (const { 0: match, index } of text.matchAll(/\{(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"'{}])*\}/g)) {
    if (index > at) parts().push({ kind: 'text', text: text.slice(at, index) });
    at = index + match.length;
    const inner = match.slice(1, -1).trim();
    const range = /^range\s+(.+)$/s.exec(inner);
    if (range !== null) open.push({ path: range[1] as string, parts: [] });
    else if (inner === 'end') {
      const closed = open.pop();
      if (closed === undefined) throw usageError('{end} without {range …} in the JSONPath template');
      parts().push({ kind: 'range', values: await jsonPath(closed.path), parts: closed.parts });
    } else if (/^["']/.test(inner)) parts().push({ kind: 'text', text: literal(inner) });
    else parts().push({ kind: 'path', values: await jsonPath(inner) });
  }
  if (open.length > 0) throw usageError('{range …} without {end} in the JSONPath template');
  if (at < text.length) {
    if (/[{}]/.test(text.slice(at)))
      throw usageError(
        `a brace is not closed in the JSONPath template, at ${JSON.stringify(text.slice(at))}`,
      );
    parts().push({ kind: 'text', text: text.slice(at) });
  }
  return (document) => render(top, document);
}

function render(parts: readonly Part[], from: unknown): string {
  return parts
    .map((part) => {
      if (part.kind === 'text') return part.text;
      const values = part.values(from);
      return part.kind === 'path'
        ? values.map(plain).join(' ')
        : values.map((value) => render(part.parts, value)).join('');
    })
    .join('');
}

const plain = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

const literal = (quoted: string): string =>
  quoted.slice(1, -1).replace(/\\(.)/gs, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
