import { REACHABLE_PATTERN } from '@tulle/model';

const FORM = new RegExp(REACHABLE_PATTERN);
const MOST = 1000;

/** Which Services a program is to reach; who it is not told of is to it as if there were none of that name. */
export class Reachable {
  /** As it was said, so that two can be compared. */
  readonly names: readonly string[];
  readonly #all: boolean;
  readonly #namespaces = new Set<string>();
  readonly #services = new Set<string>();

  /** @param names see {@link readReachable} @param namespace of the program */
  constructor(names: readonly string[], namespace: string) {
    this.names = names;
    this.#all = names.includes('*');
    for (const one of names) {
      const [name = '', of = namespace] = one.split('.');
      if (name === '*') this.#namespaces.add(of);
      else this.#services.add(`${of}/${name}`);
    }
  }

  has({ metadata }: { readonly metadata: { readonly name: string; readonly namespace: string } }): boolean {
    return (
      this.#all ||
      this.#namespaces.has(metadata.namespace) ||
      this.#services.has(`${metadata.namespace}/${metadata.name}`)
    );
  }
}

/**
 * Reads what a captured program says that it calls: `name` in its own namespace, `name.namespace`, `*.namespace` for all of
 * one, `*` for all there are. Absent: `*`. At most 1,000.
 * @param wrong told of each that cannot be used
 */
export function readReachable(
  value: unknown,
  path: string,
  namespace: string,
  wrong: (path: string, message: string) => void,
): Reachable {
  const given = value ?? ['*'];
  if (!Array.isArray(given) || given.length > MOST) {
    wrong(path, `must be a list of at most ${MOST} Services, not ${JSON.stringify(given).slice(0, 100)}`);
    return new Reachable([], namespace);
  }
  const names = given.filter((one, index): one is string => {
    const right = typeof one === 'string' && FORM.test(one);
    if (!right)
      wrong(
        `${path}/${index}`,
        `must be a Service, as name, name.namespace, *.namespace or *, not ${JSON.stringify(one)}`,
      );
    return right;
  });
  return new Reachable(names, namespace);
}
