import type { AnyConnFilter, AnyHttpFilter, ConfigSchema, DefinitionBase } from '@tulle/filter';
import type { FilterConfigs, FilterEntry } from '@tulle/model';
import {
  buildTable,
  beforeRouteSteps,
  type AnyDefinition,
  type AnyHooks,
  type FilterInstance,
  type HeadStep,
  type InForce,
  type PhaseTable,
} from '../chain/tables.ts';
import type { Engine } from '../engine.ts';
import { canonical } from './canonical.ts';
import { checkHooks, checkScope, checkSlots } from './check-filters.ts';
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
  for (const [index, { definition, entry }] of parsed.entries())
    checkScope(definition, entry, `${path}/${index}`, issues);
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

/** The tables of one chain: for no override, and for each combination of overrides that occurs. */
export class TableMaker {
  readonly #filters: readonly FilterInstance[];
  readonly #issues: Issues;
  readonly #cache: Map<string, PhaseTable> = new Map<string, PhaseTable>();
  readonly base: PhaseTable;
  readonly unrouted: PhaseTable;
  readonly beforeRoute: readonly HeadStep[] | null;

  constructor(filters: readonly FilterInstance[], issues: Issues) {
    this.#filters = filters;
    this.#issues = issues;
    const base = filters.map((filter): InForce => ({ filter, config: filter.baseConfig })).filter(applies);
    this.base = buildTable(base);
    this.unrouted = buildTable(
      base.filter(({ filter }) => filter.beforeRoute || filter.definition.unrouted === true),
    );
    this.beforeRoute = beforeRouteSteps(base.filter(({ filter }) => filter.beforeRoute));
  }

  /** The table where these overrides are in force, outermost first (virtual host, route, backend). */
  table(
    layers: readonly { readonly configs: FilterConfigs | undefined; readonly path: string }[],
  ): PhaseTable {
    const given = layers.filter(
      (layer) => layer.configs !== undefined && Object.keys(layer.configs).length > 0,
    );
    if (given.length === 0) return this.base;
    const key = canonical(given.map((layer) => layer.configs));
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const table = buildTable(this.#merge(given as readonly { configs: FilterConfigs; path: string }[]));
    this.#cache.set(key, table);
    return table;
  }

  #merge(layers: readonly { readonly configs: FilterConfigs; readonly path: string }[]): InForce[] {
    for (const { configs, path } of layers) {
      for (const name of Object.keys(configs)) {
        if (!this.#filters.some((filter) => filter.name === name)) {
          this.#issues.add(
            `${path}/filterConfigs/${name}`,
            `no filter of this chain is named ${JSON.stringify(name)}; it has ${this.#filters.map((filter) => filter.name).join(', ') || 'none'}`,
          );
        }
      }
    }
    const inForce: InForce[] = [];
    for (const filter of this.#filters) {
      let config: unknown = filter.baseConfig;
      let removed = false;
      for (const { configs, path } of layers) {
        if (!Object.hasOwn(configs, filter.name)) continue;
        const at = `${path}/filterConfigs/${filter.name}`;
        const override = configs[filter.name];
        if (override === null) {
          if (filter.mandatory)
            this.#issues.add(
              at,
              `filter ${filter.name} is mandatory; only the scope that set it can remove it`,
            );
          else removed = true;
          continue;
        }
        removed = false;
        config = this.#override(filter, config, override, at);
      }
      if (!removed) inForce.push({ filter, config });
    }
    const at = `${layers.at(-1)?.path ?? ''}/filterConfigs`;
    checkSlots(
      inForce.map(({ filter, config }) => ({ name: filter.name, definition: filter.definition, config })),
      () => at,
      this.#issues,
      ' on this route',
    );
    return inForce.filter(applies);
  }

  #override(filter: FilterInstance, base: unknown, value: unknown, path: string): unknown {
    const { routeConfig, mergeRoute } = filter.definition;
    if (routeConfig === undefined) {
      this.#issues.add(path, `filter ${filter.name} takes no override on a route; null removes it there`);
      return base;
    }
    const override = parseConfig(routeConfig, value, path, this.#issues);
    if (override === undefined) return base;
    return (
      this.#issues.guard(path, () =>
        Object.freeze(
          mergeRoute === undefined
            ? { ...(base as object), ...(override as object) }
            : mergeRoute.call(filter.definition, base, override),
        ),
      ) ?? base
    );
  }
}

function applies({ filter, config }: InForce): boolean {
  return filter.definition.applies?.(config) ?? true;
}
