/** Names of fields, keys of maps and indices of lists, from the root of a message. */
export type PathSegment = string | number;

const PART = /\.?([A-Za-z0-9_@]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/gy;

/**
 * Reads what translators write: `filter_chains[0].filters[1].typed_config`, `metadata["tulle.dev"].labels`. Ends where the text is
 * no path any more.
 */
export function parsePath(path: string): PathSegment[] {
  const segments: PathSegment[] = [];
  PART.lastIndex = 0;
  for (let match = PART.exec(path); match !== null; match = PART.exec(path)) {
    const [, name, index, quoted] = match;
    if (name !== undefined) segments.push(name);
    else if (index !== undefined) segments.push(Number(index));
    else if (quoted !== undefined) segments.push(JSON.parse(quoted) as string);
    if (PART.lastIndex >= path.length) break;
  }
  return segments;
}

/** The path of a part of something. */
export function under(path: string, part: string): string {
  if (path === '') return part;
  if (part === '') return path;
  return part.startsWith('[') ? `${path}${part}` : `${path}.${part}`;
}

/** Whether `path` is `root` or something in it. */
export function isUnder(path: string, root: string): boolean {
  return path === root || (path.startsWith(root) && /^[.[]/.test(path.slice(root.length)));
}

/** `rate_limit` for `rateLimit`: protobuf's JSON takes both. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
