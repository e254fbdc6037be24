const SCHEME = 'xdstp://';

/**
 * The name that stands for all resources of a name's directory (xDS TP1, "glob collection"):
 * `xdstp://authority/type/shop/web?zone=a` is of `xdstp://authority/type/shop/*?zone=a`, with the same context and no other.
 * @returns the name itself where it is such a one; `undefined` for names of the old kind, and where there is no id
 */
export function collectionOf(name: string): string | undefined {
  if (!name.startsWith(SCHEME)) return undefined;
  const [undirected = ''] = name.split('#', 1);
  const mark = undirected.indexOf('?');
  const path = mark < 0 ? undirected : undirected.slice(0, mark);
  const end = path.lastIndexOf('/');
  // The authority may be empty, the type may not.
  const type = path.indexOf('/', SCHEME.length);
  if (type < 0 || path.indexOf('/', type + 1) < 0 || end === path.length - 1) return undefined;
  return `${path.slice(0, end)}/*${mark < 0 ? '' : undirected.slice(mark)}`;
}
