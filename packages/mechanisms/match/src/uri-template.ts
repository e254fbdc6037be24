/** A template of paths, compiled. */
export interface UriTemplate {
  /** Matches whole paths; its groups are the variables, in order. */
  readonly pattern: RegExp;
  readonly variables: readonly string[];
}

/** A part of a path to be made: text, or the variable of this number. */
export type TemplatePart = string | number;

/** As in Envoy: more would make slow patterns. */
const MAX_VARIABLES = 5;

/** One segment, and all that are left. `**` stands last, so that a pattern runs in linear time. */
const ONE = '[^/]+';
const REST = '.*';

/**
 * Compiles a template of paths: literal segments, `*` (one segment), `**` (any that are left, last), and variables `{name}`
 * or `{name=pattern}` of them (Envoy `UriTemplateMatchConfig.path_template`).
 * @returns a sentence where it is none
 */
export function parseUriTemplate(text: string): UriTemplate | string {
  if (!text.startsWith('/')) return `${JSON.stringify(text)} is no template of paths; it begins with /`;
  const variables: string[] = [];
  let source = '';
  let ended = false;
  for (let at = 0; at < text.length;) {
    const open = text.indexOf('{', at);
    const literal = patternOf(text.slice(at, open < 0 ? text.length : open));
    if (literal === undefined || (ended && literal.source !== ''))
      return `${JSON.stringify(text)}: a segment is literal, * or **, and ** stands last`;
    source += literal.source;
    ended ||= literal.ends;
    if (open < 0) break;
    const close = text.indexOf('}', open);
    const [, name = '', pattern = '*'] =
      /^([A-Za-z][A-Za-z0-9_]*)(?:=(.+))?$/.exec(text.slice(open + 1, Math.max(open, close))) ?? [];
    if (close < 0 || name === '')
      return `${JSON.stringify(text)}: a variable is {name} or {name=pattern}, and its name begins with a letter`;
    if (variables.includes(name)) return `${JSON.stringify(text)}: the variable ${name} stands twice`;
    if (text.charAt(open - 1) !== '/' || !['', '/'].includes(text.charAt(close + 1)))
      return `${JSON.stringify(text)}: the variable ${name} is not a whole segment`;
    const inner = patternOf(pattern);
    if (ended || inner === undefined || pattern.startsWith('/') || pattern.endsWith('/'))
      return `${JSON.stringify(text)}: the pattern of ${name} is made of segments that are literal, * or **, and ** stands last`;
    source += `(${inner.source})`;
    ended = inner.ends;
    variables.push(name);
    at = close + 1;
  }
  if (variables.length > MAX_VARIABLES)
    return `${JSON.stringify(text)} has ${variables.length} variables; at most ${MAX_VARIABLES} are allowed`;
  return { pattern: new RegExp(`^${source}$`), variables };
}

/** Segments without variables. @param part may begin or end within the slashes of its template */
function patternOf(part: string): { readonly source: string; readonly ends: boolean } | undefined {
  let ends = false;
  const segments = part.split('/').map((segment) => {
    if (ends) return undefined;
    if (segment === '*') return ONE;
    if (segment === '**') {
      ends = true;
      return REST;
    }
    if (!/^[A-Za-z0-9\-._~%!$&'()+,;:@=]*$/.test(segment)) return undefined;
    return segment.replace(/[.$()+]/g, '\\$&');
  });
  if (segments.includes(undefined)) return undefined;
  return { source: segments.join('/'), ends };
}

/**
 * Compiles what a path is rewritten to, with `{name}` for variables of the template that it matched (Envoy
 * `UriTemplateRewriteConfig.path_template_rewrite`).
 * @returns a sentence where that does not go
 */
export function parseTemplateRewrite(
  text: string,
  { variables }: Pick<UriTemplate, 'variables'>,
): readonly TemplatePart[] | string {
  if (!text.startsWith('/')) return `${JSON.stringify(text)} is no template of paths; it begins with /`;
  const parts: TemplatePart[] = [];
  for (const part of text.split(/(\{[^{}]*\})/)) {
    if (!part.startsWith('{')) {
      if (/[{}*?#]/.test(part))
        return `${JSON.stringify(text)} holds ${JSON.stringify(part)}, which is no part of a path`;
      if (part !== '') parts.push(part);
      continue;
    }
    const place = variables.indexOf(part.slice(1, -1));
    if (place < 0)
      return `${JSON.stringify(text)}: the template that is matched has no variable ${part}; it has ${variables.join(', ') || 'none'}`;
    parts.push(place);
  }
  return parts;
}

/** The path that a matched one is rewritten to; `undefined` where it does not match. */
export function rewriteByTemplate(
  path: string,
  { pattern }: UriTemplate,
  parts: readonly TemplatePart[],
): string | undefined {
  const found = pattern.exec(path);
  if (found === null) return undefined;
  let rewritten = '';
  for (const part of parts) rewritten += typeof part === 'number' ? (found[part + 1] ?? '') : part;
  return rewritten;
}
