import type { AnyConnFilter, AnyHttpFilter, ConfigSchema, DefinitionBase } from '@tulle/filter';
import type { FilterEntry } from '@tulle/model';
import type { AnyDefinition, AnyHooks, FilterInstance } from '../chain/tables.ts';
import type { Engine } from '../engine.ts';
import { checkHooks, checkEntry, checkSlots } from './check-filters.ts';
import { EngineFilterHost } from './filter-host.ts';
import { FilterSet, withDeadline, type ConnFilterInstance, type Disposable } from './filter-set.ts';
import type { Issues } from './issues.ts';

/** The filters a proxy may be configured with, by id. */
export class Registry {
  readonly http: Map<string, AnyHttpFilter> = new Map<string, AnyHttpFilter>();
  readonly connection: Map<string, AnyConnFilter> = new Map<string, AnyConnFilter>();

  constructor(filters: readonly (AnyHttpFilter | AnyConnFilter)[]) {
    for (const filter of filters) this.add(filter);
  }

  /** Adds a filter; the same one twice is fine. @throws Error when another filter has the id */
  add(filter: AnyHttpFilter | AnyConnFilter): void {
    const { id, kind } = filter.definition;
    const table: Map<string, AnyHttpFilter | AnyConnFilter> =
      kind === 'connection' ? this.connection : this.http;
    const known = table.get(id);
    if (known !== undefined && known.definition !== filter.definition)
      throw new Error(`two filters of the registry have the id ${id}; ids are unique`);
    table.set(id, filter);
  }

  describe(): string {
    const ids = [...this.http.keys(), ...this.connection.keys()];
    return ids.length === 0 ? 'the registry is empty' : `it has ${ids.join(', ')}`;
  }
}

/** An entry whose filter is known and whose configuration is parsed. */
interface Parsed {
  readonly entry: FilterEntry;
  readonly definition: AnyDefinition;
  readonly config: unknown;
}

/** Makes the filters of an HTTP chain. Faults go to `issues`, and what was made is disposed again. */
export async function createHttpFilters(
  engine: Engine,
  registry: Registry,
  entries: readonly FilterEntry[],
  connEntries: readonly FilterEntry[],
  path: string,
  issues: Issues,
): Promise<FilterSet | undefined> {
  const before = issues.list.length;
  const parsed = parseEntries(entries, (id) => registry.http.get(id)?.definition, registry, path, issues);
  checkSlots(
    parsed.map(({ entry, definition, config }) => ({ name: entry.name, definition, config })),
    (index) => `${path}/${index}`,
    issues,
  );
  if (issues.list.length > before) return undefined;
  const disposables: Disposable[] = [];
  const filters: FilterInstance[] = [];
  const conn: ConnFilterInstance[] = [];
  try {
    for (const [slot, part] of parsed.entries())
      filters.push(await createOne(engine, part, slot, disposables));
    const connParsed = parseEntries(
      connEntries,
      (id) => registry.connection.get(id)?.definition,
      registry,
      path,
      issues,
    );
    for (const part of connParsed) conn.push(await createConn(engine, part, disposables));
  } catch (error) {
    issues.add(path, error instanceof Error ? error.message : String(error));
  }
  for (const [index, filter] of filters.entries()) checkHooks(filter, `${path}/${index}`, issues);
  const set = new FilterSet(engine, filters, conn, disposables);
  if (issues.list.length === before) return set;
  await set.dispose();
  return undefined;
}

function parseEntries(
  entries: readonly FilterEntry[],
  find: (id: string) => DefinitionBase<unknown> | undefined,
  registry: Registry,
  path: string,
  issues: Issues,
): Parsed[] {
  const parsed: Parsed[] = [];
  const names = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    const at = `${path}/${index}`;
    if (names.has(entry.name))
      issues.add(
        `${at}/name`,
        `${JSON.stringify(entry.name)} names two filters of this chain; give one of them another name`,
      );
    names.add(entry.name);
    const definition = find(entry.filter);
    if (definition === undefined) {
      issues.add(
        `${at}/filter`,
        `TULLE_FILTER_UNKNOWN: no filter ${JSON.stringify(entry.filter)} in this proxy's registry; ${registry.describe()}`,
      );
      continue;
    }
    checkEntry(definition, entry, at, issues);
    const config = parseConfig(definition.config, entry.config, `${at}/config`, issues);
    parsed.push({ entry, definition: definition as AnyDefinition, config });
  }
  return parsed;
}

/** Parses a configuration by its schema; issues get JSON pointers. */
export function parseConfig(
  schema: ConfigSchema<unknown>,
  value: unknown,
  path: string,
  issues: Issues,
): unknown {
  const result = schema['~standard'].validate(value);
  if (result.issues === undefined) return deepFreeze(result.value);
  for (const issue of result.issues) {
    const keys = (issue.path ?? []).map((key) => (typeof key === 'object' ? key.key : key));
    issues.add(
      [path, ...keys.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/'),
      issue.message,
    );
  }
  return undefined;
}

function deepFreeze(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

async function createOne(
  engine: Engine,
  { entry, definition, config }: Parsed,
  slot: number,
  disposables: Disposable[],
): Promise<FilterInstance> {
  const host = new EngineFilterHost(engine, entry.name);
  const hooks = await create<AnyHooks>(engine, host, () => definition.create(host, config));
  disposables.push({ name: entry.name, dispose: () => hooks.dispose?.(), host });
  return Object.freeze({
    slot,
    name: entry.name,
    definition,
    hooks,
    baseConfig: config,
    mandatory: entry.mandatory ?? false,
    failOpen: entry.failOpen ?? false,
    beforeRoute: definition.stage === 'before-route',
    attemptScope: definition.scope === 'attempt',
    states: definition.state === undefined ? undefined : [],
    errors: engine.meter.counter('tulle_filter_errors_total', {
      help: 'Hooks that threw or answered nonsense',
      labels: { filter: entry.name },
    }),
  });
}

async function createConn(
  engine: Engine,
  { entry, definition, config }: Parsed,
  disposables: Disposable[],
): Promise<ConnFilterInstance> {
  const host = new EngineFilterHost(engine, entry.name);
  const connDefinition = definition as unknown as AnyConnFilter['definition'];
  const hooks = await create(engine, host, () => connDefinition.create(host, config));
  disposables.push({ name: entry.name, dispose: () => hooks.dispose?.(), host });
  return Object.freeze({
    name: entry.name,
    hooks,
    config,
    failOpen: entry.failOpen ?? false,
    state: connDefinition.state,
    errors: engine.meter.counter('tulle_filter_errors_total', {
      help: 'Hooks that threw or answered nonsense',
      labels: { filter: entry.name },
    }),
  });
}

async function create<T>(engine: Engine, host: EngineFilterHost, make: () => T | Promise<T>): Promise<T> {
  const timeoutMs = engine.limits.filterCreateTimeoutMs;
  try {
    return await withDeadline(
      engine,
      (async () => await make())(),
      timeoutMs,
      () => new Error(`create was not done after ${timeoutMs} ms`),
    );
  } catch (error) {
    host.close();
    throw new Error(
      `filter ${host.name} could not be created: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}
