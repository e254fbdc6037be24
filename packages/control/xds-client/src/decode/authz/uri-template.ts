/** Characters of a path segment (RFC 3986 §3.3 `pchar`), as Envoy's templates take them. */
const SEGMENT = "[a-zA-Z0-9\\-._~%!$&'()+,;:@=]";
const LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+/;

/**
 * A template of Envoy's (`UriTemplateMatchConfig.path_template`) as RE2: `*` and `{name}` are one segment, `**` is the rest,
 * and `{name=a/*}` names what the pattern in it matches.
 * @returns `undefined` for what is none
 */
export function uriTemplatePattern(template: string): string | undefined {
  if (!template.startsWith('/')) return undefined;
  let pattern = '';
  let rest = template;
  let ended = false;
  let within = false;
  const names = new Set<string>();
  while (rest !== '') {
    if (ended && !(within && rest.startsWith('}'))) {
      // After ** only a text may come: a suffix.
      const [text] = LITERAL.exec(rest) ?? [];
      if (text === undefined && !rest.startsWith('/')) return undefined;
    }
    if (rest.startsWith('**')) {
      if (ended) return undefined;
      ended = true;
      pattern += `(?:${SEGMENT}|/)*`;
      rest = rest.slice(2);
    } else if (rest.startsWith('*')) {
      pattern += `${SEGMENT}+`;
      rest = rest.slice(1);
    } else if (rest.startsWith('/')) {
      pattern += '/';
      rest = rest.slice(1);
    } else if (rest.startsWith('{') && !within) {
      const [whole, name, equals] = /^\{([a-zA-Z][a-zA-Z0-9_]*)(=)?/.exec(rest) ?? [];
      if (whole === undefined || name === undefined || names.has(name)) return undefined;
      names.add(name);
      rest = rest.slice(whole.length);
      if (equals === undefined) {
        if (!rest.startsWith('}')) return undefined;
        pattern += `${SEGMENT}+`;
        rest = rest.slice(1);
      } else within = true;
    } else if (rest.startsWith('}') && within) {
      within = false;
      rest = rest.slice(1);
    } else {
      const [text] = LITERAL.exec(rest) ?? [];
      if (text === undefined) return undefined;
      pattern += text.replace(/[.$()+-]/g, '\\$&');
      rest = rest.slice(text.length);
    }
  }
  return within ? undefined : pattern;
}
