/** The parts of a name `xdstp://authority/type/id?key=value#directives` (xDS, TP1). */
export interface ResourceName {
  /** `''` for the one of the configuration. */
  readonly authority: string;
  /** Full name of the message, e.g. `envoy.config.route.v3.RouteConfiguration`. */
  readonly type: string;
  readonly id: string;
  /** Context parameters, by key. */
  readonly context: readonly (readonly [key: string, value: string])[];
  /** Whether it stands for all of a directory: the id is `*`, or ends in `/*`. */
  readonly isCollection: boolean;
}

const SCHEME = 'xdstp://';

/** @returns `undefined` for a name of the old kind, which says nothing by itself, and for one that is malformed */
export function parseResourceName(name: string): ResourceName | undefined {
  if (!name.startsWith(SCHEME)) return undefined;
  const [beforeDirectives = ''] = name.slice(SCHEME.length).split('#', 1);
  const mark = beforeDirectives.indexOf('?');
  const path = mark < 0 ? beforeDirectives : beforeDirectives.slice(0, mark);
  const [authority = '', type = '', ...rest] = path.split('/');
  const id = rest.join('/');
  if (type === '' || id === '') return undefined;
  const query = mark < 0 ? '' : beforeDirectives.slice(mark + 1);
  const context = query
    .split('&')
    .filter((part) => part !== '')
    .map((part): [string, string] => {
      const [key = '', ...value] = part.split('=');
      return [key, value.join('=')];
    })
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { authority, type, id, context, isCollection: id === '*' || id.endsWith('/*') };
}

/** The one form of a name that servers and clients compare: context parameters by key, no directives. Other names stay as they are. */
export function canonicalName(name: string): string {
  const parsed = parseResourceName(name);
  if (!parsed) return name;
  const query = parsed.context.map(([key, value]) => `${key}=${value}`).join('&');
  return `${SCHEME}${parsed.authority}/${parsed.type}/${parsed.id}${query === '' ? '' : `?${query}`}`;
}
