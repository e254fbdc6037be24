import type { ProxyConfig } from '@tulle/model';

/** Parts of a configuration. */
export type ConfigKind = 'listener' | 'route' | 'cluster' | 'endpoint';

/** One place where a proxy has something else than it should. */
export interface ConfigDifference {
  readonly kind: ConfigKind;
  readonly name: string;
  /** JSON pointer within the resource (RFC 6901); empty: the whole of it. */
  readonly path: string;
  /** Absent: it should not be there. */
  readonly should?: unknown;
  /** Absent: it is not there. */
  readonly has?: unknown;
}

/** How one resource of a proxy stands. */
export type ResourceState = 'in force' | 'differs' | 'missing' | 'not wanted';

const PARTS = [
  ['listener', 'listeners'],
  ['route', 'routes'],
  ['cluster', 'clusters'],
  ['endpoint', 'endpoints'],
] as const;

/** What a dump writes in the place of a secret: equal to whatever it hides. */
const REDACTED = '[redacted]';

/**
 * Compares by name, and in lists by position.
 * @param should as the proxy would read it, see `asReceived`
 * @param has as its admin interface dumps it
 */
export function configDifferences(should: ProxyConfig, has: ProxyConfig): ConfigDifference[] {
  return PARTS.flatMap(([kind, part]) => {
    const wanted = new Map<string, unknown>(should[part].map((one) => [one.name, one]));
    const there = new Map<string, unknown>(has[part].map((one) => [one.name, one]));
    return [...new Set([...wanted.keys(), ...there.keys()])].flatMap((name) =>
      compare(wanted.get(name), there.get(name), '').map((difference) => ({ kind, name, ...difference })),
    );
  });
}

/** State of a resource, given all differences. */
export function stateOf(
  differences: readonly ConfigDifference[],
  kind: ConfigKind,
  name: string,
): ResourceState {
  const own = differences.filter((one) => one.kind === kind && one.name === name);
  if (own.length === 0) return 'in force';
  const [first] = own;
  if (first?.path !== '') return 'differs';
  if (!('has' in first)) return 'missing';
  return 'should' in first ? 'differs' : 'not wanted';
}

/** A line for a person. */
export function describeDifference({ kind, name, path, ...values }: ConfigDifference): string {
  const where = `${kind} ${name}${path === '' ? '' : ` ${path}`}`;
  if (!('has' in values))
    return path === ''
      ? `${where}: the proxy does not have it`
      : `${where}: absent, should be ${shown(values.should)}`;
  if (!('should' in values))
    return path === ''
      ? `${where}: the proxy has it and should not`
      : `${where}: is ${shown(values.has)}, should be absent`;
  return `${where}: is ${shown(values.has)}, should be ${shown(values.should)}`;
}

const SHOWN_CHARS = 120;
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? '';
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
};

type Place = Pick<ConfigDifference, 'path' | 'should' | 'has'>;

function compare(should: unknown, has: unknown, path: string): Place[] {
  if (should === has || has === REDACTED) return [];
  if (should === undefined) return [{ path, has }];
  if (has === undefined) return [{ path, should }];
  if (!isContainer(should) || !isContainer(has) || Array.isArray(should) !== Array.isArray(has))
    return [{ path, should, has }];
  const keys = new Set([...Object.keys(should), ...Object.keys(has)]);
  return [...keys].flatMap((key) =>
    compare(
      Object.hasOwn(should, key) ? should[key] : undefined,
      Object.hasOwn(has, key) ? has[key] : undefined,
      `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
    ),
  );
}

const isContainer = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
