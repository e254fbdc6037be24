import type { FilterConfigs } from '@tulle/model';
import {
  beforeRouteSteps,
  buildTable,
  type FilterInstance,
  type HeadStep,
  type InForce,
  type PhaseTable,
} from '../chain/tables.ts';
import { canonical } from './canonical.ts';
import { checkSlots } from './check-filters.ts';
import { parseConfig } from './compile-filters.ts';
import type { FilterSet, Override } from './filter-set.ts';
import type { Issues } from './issues.ts';

/** Overrides that stand in one place: a virtual host, a route, or a backend of its split. */
export interface OverrideLayer {
  readonly configs: FilterConfigs | undefined;
  /** JSON pointer of the place, for issues. */
  readonly path: string;
  /** Name of the place that stays the same when others come and go, so that what is kept by it is found again. */
  readonly place: string;
}

type GivenLayer = OverrideLayer & { readonly configs: FilterConfigs };

/**
 * The tables of one chain: for no override, and for each place that has its own. An override given in a place is one
 * configuration object for everything below that place, and for nothing else: two routes that say the same have limits
 * of their own. While it means the same it stays the very same object over generations, and what a filter keeps for it
 * (buckets, matchers) with it.
 */
export class TableMaker {
  readonly #set: FilterSet;
  readonly #issues: Issues;
  readonly #tables: Map<string, PhaseTable> = new Map<string, PhaseTable>();
  readonly #checked: Set<string> = new Set<string>();
  /** What the set keeps when this compilation is applied. */
  readonly overrides: Map<string, Override> = new Map<string, Override>();
  readonly base: PhaseTable;
  readonly unrouted: PhaseTable;
  readonly beforeRoute: readonly HeadStep[] | null;

  /** @param path JSON pointer of the chain's filters */
  constructor(set: FilterSet, path: string, issues: Issues) {
    this.#set = set;
    this.#issues = issues;
    const all = set.filters.map((filter): InForce => ({ filter, config: filter.baseConfig }));
    const base = all.filter((one) => !one.filter.disabled && applies(one));
    const unrouted = base.filter(({ filter }) => filter.beforeRoute || filter.definition.unrouted === true);
    this.#check(base, (index) => `${path}/${index}`, ' that does something by its configuration');
    this.#check(unrouted, (index) => `${path}/${index}`, ' for requests that no route matches');
    this.base = buildTable(base);
    this.unrouted = buildTable(unrouted);
    this.beforeRoute = beforeRouteSteps(base.filter(({ filter }) => filter.beforeRoute));
  }

  /** The table where these overrides are in force, outermost first (virtual host, route, backend). */
  table(layers: readonly OverrideLayer[]): PhaseTable {
    const given = layers.filter(
      (layer): layer is GivenLayer => layer.configs !== undefined && Object.keys(layer.configs).length > 0,
    );
    const last = given.at(-1);
    if (last === undefined) return this.base;
    const key = given.map(({ place }) => place).join('\n');
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    for (const layer of given) this.#checkNames(layer);
    const inForce = this.#merge(given).filter(applies);
    this.#check(inForce, () => `${last.path}/filterConfigs`, ' on this route');
    const table = buildTable(inForce);
    this.#tables.set(key, table);
    return table;
  }

  #check(inForce: readonly InForce[], pathOf: (slot: number) => string, where: string): void {
    checkSlots(
      inForce.map(({ filter, config }) => ({ name: filter.name, definition: filter.definition, config })),
      (index) => pathOf(inForce[index]?.filter.slot ?? 0),
      this.#issues,
      where,
    );
  }

  #checkNames({ configs, path, place }: GivenLayer): void {
    const { filters } = this.#set;
    if (this.#checked.has(place)) return;
    this.#checked.add(place);
    for (const name of Object.keys(configs)) {
      const at = `${path}/filterConfigs/${name}`;
      const filter = filters.find((one) => one.overriddenBy === name);
      if (filter === undefined) {
        if (this.#set.absent.has(name)) continue;
        this.#issues.add(
          at,
          `no filter of this chain is named ${JSON.stringify(name)}; it has ${filters.map((one) => one.name).join(', ') || 'none'}`,
        );
      } else if (filter.mandatory) {
        this.#issues.add(
          at,
          `filter ${name} is mandatory: only the scope that set it can remove it or configure it otherwise; what differs by route belongs into its own configuration`,
        );
      } else if (
        configs[name] !== null &&
        configs[name] !== true &&
        filter.definition.routeConfig === undefined
      ) {
        this.#issues.add(at, `filter ${name} takes no override on a route; null removes it there`);
      }
    }
  }

  #merge(layers: readonly GivenLayer[]): InForce[] {
    const inForce: InForce[] = [];
    for (const filter of this.#set.filters) {
      const own = layers.filter(({ configs }) => Object.hasOwn(configs, filter.overriddenBy));
      const last = own.at(-1)?.configs[filter.overriddenBy];
      if (last === null && !filter.mandatory) continue;
      if (filter.disabled && last === undefined) continue;
      const given = own.filter(({ configs }) => configs[filter.overriddenBy] !== true);
      inForce.push({ filter, config: this.#configOf(filter, given) });
    }
    return inForce;
  }

  /** The configuration that the layers come to, each merged over those before it. */
  #configOf(filter: FilterInstance, layers: readonly GivenLayer[]): unknown {
    const last = layers.at(-1);
    if (last === undefined || filter.mandatory || filter.definition.routeConfig === undefined)
      return filter.baseConfig;
    const key = [filter.name, ...layers.map(({ place }) => place)].join('\n');
    const made = this.overrides.get(key);
    if (made !== undefined) return made.config;
    const text = canonical(layers.map(({ configs }) => configs[filter.overriddenBy]));
    const kept = this.#set.overrides.get(key);
    const config =
      kept?.text === text
        ? kept.config
        : this.#override(filter, this.#configOf(filter, layers.slice(0, -1)), last);
    this.overrides.set(key, { text, config, filter: filter.name });
    return config;
  }

  #override(filter: FilterInstance, base: unknown, { configs, path }: GivenLayer): unknown {
    const { routeConfig, mergeRoute } = filter.definition;
    const value = configs[filter.overriddenBy];
    if (value === null || routeConfig === undefined) return base;
    const at = `${path}/filterConfigs/${filter.overriddenBy}`;
    const override = parseConfig(routeConfig, value, at, this.#issues);
    if (override === undefined) return base;
    const merged = this.#issues.guard(at, () =>
      mergeRoute === undefined
        ? { ...(base as object), ...(override as object) }
        : mergeRoute.call(filter.definition, base, override),
    );
    return merged === undefined ? base : Object.freeze(merged);
  }
}

function applies({ filter, config }: InForce): boolean {
  return filter.definition.applies?.(config) ?? true;
}
