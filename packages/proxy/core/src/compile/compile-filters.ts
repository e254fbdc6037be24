import type { AnyConnFilter, AnyHttpFilter, ConfigSchema, DefinitionBase } from '@tulle/filter';
import type { FilterEntry } from '@tulle/model';
import type { Counter } from '@tulle/telemetry';
import type { AnyDefinition, AnyHooks, FilterInstance } from '../chain/tables.ts';
import type { Engine } from '../engine.ts';
import { canonical } from './canonical.ts';
import { checkHooks, checkEntry, checkSlots } from './check-filters.ts';
import { EngineFilterHost } from './filter-host.ts';
import { CreatedFilter, FilterSet, type ConnFilterInstance } from './filter-set.ts';
import { withDeadline } from '../deadline.ts';
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
  readonly key: string;
  /** The one that runs, where it means the same. */
  readonly kept: CreatedFilter | undefined;
}

/**
 * Makes the filters of a chain, or takes over those of `before` that mean the same. Faults go to `issues`; what was made
 * is disposed again then.
 */
export async function createFilters(
  engine: Engine,
  registry: Registry,
  entries: readonly FilterEntry[],
  connEntries: readonly FilterEntry[],
  [path, connPath]: readonly [http: string, connection: string],
  issues: Issues,
  before: FilterSet | undefined,
): Promise<FilterSet | undefined> {
  const faults = issues.list.length;
  const parse = (some: readonly FilterEntry[], of: 'http' | 'connection'): Parsed[] =>
    parseEntries(some, registry, of, of === 'http' ? path : connPath, issues, before);
  const parsed = parse(entries, 'http');
  checkSlots(
    parsed.map(({ entry, definition, config }) => ({ name: entry.name, definition, config })),
    (index) => `${path}/${index}`,
    issues,
  );
  if (issues.list.length > faults) return undefined;
  const created: CreatedFilter[] = [];
  const filters: FilterInstance[] = [];
  const conn: ConnFilterInstance[] = [];
  const take = async (part: Parsed): Promise<CreatedFilter> => {
    const one = part.kept ?? (await createOne(engine, part));
    created.push(one);
    return one;
  };
  try {
    for (const [slot, part] of parsed.entries()) filters.push(inSlot(engine, part, slot, await take(part)));
    for (const part of parse(connEntries, 'connection'))
      conn.push(ofConnection(engine, part, await take(part)));
  } catch (error) {
    issues.add(
      entries.length === 0 ? connPath : path,
      error instanceof Error ? error.message : String(error),
    );
  }
  for (const [index, filter] of filters.entries()) checkHooks(filter, `${path}/${index}`, issues);
  const absent = entries.filter(({ filter, optional }) => optional === true && !registry.http.has(filter));
  const set = new FilterSet(engine, filters, conn, created, new Set(absent.map(({ name }) => name)), before);
  if (issues.list.length === faults) return set;
  await set.dispose();
  return undefined;
}

function parseEntries(
  entries: readonly FilterEntry[],
  registry: Registry,
  kind: 'http' | 'connection',
  path: string,
  issues: Issues,
  before: FilterSet | undefined,
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
    const definition: DefinitionBase<unknown> | undefined = registry[kind].get(entry.filter)?.definition;
    if (definition === undefined) {
      if (entry.optional === true) continue;
      issues.add(
        `${at}/filter`,
        `TULLE_FILTER_UNKNOWN: no filter ${JSON.stringify(entry.filter)} in this proxy's registry; ${registry.describe()}`,
      );
      continue;
    }
    checkEntry(definition, entry, at, issues);
    const key = canonical([kind, entry.name, entry.filter, entry.config]);
    const kept = before?.find(key);
    const config =
      kept === undefined ? parseConfig(definition.config, entry.config, `${at}/config`, issues) : kept.config;
    parsed.push({ entry, definition: definition as AnyDefinition, config, key, kept });
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
  { entry: { name }, definition, config, key }: Parsed,
): Promise<CreatedFilter> {
  const host = new EngineFilterHost(engine, name);
  const hooks = await create<AnyHooks | ConnFilterInstance['hooks']>(engine, host, () =>
    definition.create(host, config),
  );
  return new CreatedFilter(key, name, hooks, config, host);
}

function errorsOf(engine: Engine, filter: string): Counter {
  return engine.meter.counter('tulle_filter_errors_total', {
    help: 'Hooks that threw or answered nonsense',
    labels: { filter },
  });
}

function inSlot(
  engine: Engine,
  { entry, definition, config }: Parsed,
  slot: number,
  { hooks, states }: CreatedFilter,
): FilterInstance {
  return Object.freeze({
    slot,
    name: entry.name,
    definition,
    hooks,
    baseConfig: config,
    mandatory: entry.mandatory ?? false,
    failOpen: entry.failOpen ?? false,
    overriddenBy: entry.overriddenBy ?? entry.name,
    disabled: entry.disabled ?? false,
    beforeRoute: definition.stage === 'before-route',
    attemptScope: definition.scope === 'attempt',
    states: definition.state === undefined ? undefined : states,
    errors: errorsOf(engine, entry.name),
  });
}

function ofConnection(
  engine: Engine,
  { entry, definition, config }: Parsed,
  { hooks }: CreatedFilter,
): ConnFilterInstance {
  return Object.freeze({
    name: entry.name,
    hooks,
    config,
    failOpen: entry.failOpen ?? false,
    state: (definition as unknown as AnyConnFilter['definition']).state,
    errors: errorsOf(engine, entry.name),
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
