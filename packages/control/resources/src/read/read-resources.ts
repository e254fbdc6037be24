import { CLUSTER_NAMESPACE } from '../kinds/gateway-class.ts';
import { hasCel, loadCelEngine } from '@tulle/cel';
import { loadRegexEngine, type RegexEngine } from '@tulle/match';
import { checkKind } from '../checks/check-kind.ts';
import { compareDiagnostics, diagnostic, type Diagnostic } from '../diagnostic.ts';
import type { SourcePosition } from '../source-position.ts';
import { filterCatalogue, type FilterCatalogue } from '../filter-catalogue.ts';
import { KINDS, type KindDefinition } from '../kinds/kinds.ts';
import { refOf, resourceKey, type LocatedResource, type Resource, type ResourceRef } from '../resource.ts';
import { didYouMean } from '../suggest.ts';
import { checkSchema, shown } from './check-schema.ts';
import { parsePointer, readDocuments, type ReadDocument, type ReadLimits } from './documents.ts';

/** A text to read. */
export interface ResourceText {
  /** YAML of any number of documents, or JSON. */
  readonly text: string;
  /** For messages: as the user gave it, `-` for standard input. */
  readonly file: string;
}

/** How texts are read. */
export interface ReadOptions {
  /** Filters whose configuration is validated. Default: the standard ones. */
  readonly filters?: FilterCatalogue;
  /** Namespace of resources that name none. Default `default`. */
  readonly namespace?: string;
  readonly limits?: ReadLimits;
}

/** What was read. */
export interface ReadResult {
  /** Resources that keep every rule. Apply these only when `diagnostics` has nothing invalid. */
  readonly resources: readonly LocatedResource[];
  /**
   * Resources with faults, as far as they make sense without the faulty fields. For analysis only: so a misspelt field
   * does not hide a dangling reference, nor make others dangle.
   */
  readonly partial: readonly LocatedResource[];
  /** Resources of which only the name makes sense: who refers to one refers to something. */
  readonly unreadable: readonly ResourceRef[];
  /** All faults of all texts, in order of place. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Anything that looks like a pattern: then, and only then, the RE2 engine is loaded. */
const mayHavePattern = /RegularExpression|regex/;

/**
 * Reads resources: every fault of every document at once, with its place. Never throws for what a text holds.
 */
export async function readResources(
  texts: readonly ResourceText[],
  options: ReadOptions = {},
): Promise<ReadResult> {
  const regex = texts.some((t) => mayHavePattern.test(t.text)) ? await loadRegexEngine() : undefined;
  if (texts.some(({ text }) => hasCel(text))) await loadCelEngine();
  const reader = new Reader(options, regex);
  for (const { text, file } of texts) {
    const read = readDocuments(text, file, options.limits);
    reader.diagnostics.push(...read.diagnostics);
    for (const document of read.documents) reader.document(document, file);
    for (const document of read.broken) reader.broken(document as Record<string, unknown>);
  }
  return reader.finish();
}

/**
 * Checks resources that are data already (a JSON body). A list, a `List`, or one resource. Diagnostics carry JSON
 * pointers into the body and no position.
 */
export async function readResourceValues(body: unknown, options: ReadOptions = {}): Promise<ReadResult> {
  const reader = new Reader(
    options,
    mayHavePattern.test(JSON.stringify(body) ?? '') ? await loadRegexEngine() : undefined,
  );
  if (hasCel(body)) await loadCelEngine();
  const items = Array.isArray(body)
    ? body.map((value, i) => ({ value: value as unknown, base: `/${i}` }))
    : [{ value: body, base: '' }];
  for (const { value, base } of items) reader.value(value, base, '', undefined);
  return reader.finish();
}

type Locate = ((pointer: string, at?: 'key' | 'value') => SourcePosition) | undefined;

class Reader {
  readonly diagnostics: Diagnostic[] = [];
  readonly #resources: LocatedResource[] = [];
  readonly #partial: LocatedResource[] = [];
  readonly #unreadable: ResourceRef[] = [];
  readonly #options: ReadOptions;
  readonly #filters: FilterCatalogue;
  readonly #regex: RegexEngine | undefined;
  readonly #seen = new Map<string, SourcePosition | undefined>();

  constructor(options: ReadOptions, regex: RegexEngine | undefined) {
    this.#options = options;
    this.#filters = options.filters ?? filterCatalogue();
    this.#regex = regex;
  }

  document(document: ReadDocument, file: string): void {
    this.value(document.value, '', file, (pointer, at) => document.locate(pointer, at));
  }

  /** A document with syntax faults: what it names exists. */
  broken(raw: Record<string, unknown>): void {
    const definition = KINDS.find((k) => k.kind === raw['kind']);
    if (definition !== undefined)
      this.#unreadable.push(refOfRaw(raw, definition, this.#options.namespace ?? 'default'));
  }

  /** One document: a resource or a `List` of them. `base` is its pointer in the body. */
  value(value: unknown, base: string, file: string, locate: Locate): void {
    const list = value as { kind?: unknown; items?: unknown } | null;
    if (typeof value === 'object' && list?.kind === 'List' && Array.isArray(list.items)) {
      for (const [i, item] of list.items.entries()) this.#one(item, `${base}/items/${i}`, file, locate);
    } else {
      this.#one(value, base, file, locate);
    }
  }

  finish(): ReadResult {
    return {
      resources: this.#resources,
      partial: this.#partial,
      unreadable: this.#unreadable,
      diagnostics: this.diagnostics.toSorted(compareDiagnostics),
    };
  }

  #one(value: unknown, base: string, file: string, locate: Locate): void {
    const place = (pointer: string, at?: 'key' | 'value'): SourcePosition | undefined =>
      locate?.(base + pointer, at);
    // Without a text, pointers lead into the body; with one, into the resource.
    const say = (pointer: string): string => (locate === undefined ? base + pointer : pointer);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.diagnostics.push(
        diagnostic('TULLE0102', {
          message: `a resource is a mapping with apiVersion, kind and metadata, not ${shown(value)}`,
          pointer: say(''),
          position: place(''),
        }),
      );
      return;
    }
    const raw = value as Record<string, unknown>;
    const definition = this.#definition(raw, say, place);
    if (definition === undefined) return;
    const namespace = this.#options.namespace ?? 'default';
    const ref = refOfRaw(raw, definition, namespace);
    const add = (
      code: Diagnostic['code'],
      pointer: string,
      message: string,
      hint?: string,
      at?: 'key' | 'value',
    ): void => {
      this.diagnostics.push(
        diagnostic(code, {
          message,
          hint,
          resource: ref,
          pointer: say(pointer),
          position: place(pointer, at),
        }),
      );
    };
    dropEmptyTimestamp(raw);
    const faults = checkSchema(definition.schema, raw);
    for (const fault of faults)
      add(fault.code, fault.pointer, fault.message, fault.hint, fault.atKey ? 'key' : 'value');
    const usable =
      faults.length === 0
        ? raw
        : withoutFaults(
            raw,
            definition,
            faults.map((f) => f.pointer),
          );
    if (usable === undefined) {
      this.#unreadable.push(ref);
      return;
    }
    const said = (usable['metadata'] as { readonly namespace?: unknown }).namespace;
    // `tulle get` prints the one that it is kept under.
    if (definition.ofCluster && said !== undefined && said !== CLUSTER_NAMESPACE)
      add(
        'TULLE0322',
        '/metadata/namespace',
        `a ${definition.kind} is in no namespace: the one that it says is dropped`,
        'remove it',
      );
    const resource = normalise(usable, definition, namespace);
    let clean = faults.length === 0;
    checkKind(resource, {
      namespace: resource.metadata.namespace,
      filters: this.#filters,
      regex: this.#regex,
      report: (code, pointer, message, hint, at) => {
        clean = false;
        add(code, pointer, message, hint, at);
      },
    });
    const key = resourceKey(refOf(resource));
    if (this.#seen.has(key)) {
      const first = this.#seen.get(key);
      add(
        'TULLE0209',
        '/metadata/name',
        `${resource.kind} ${resource.metadata.namespace}/${resource.metadata.name} is there twice`,
        first === undefined ? undefined : `the first one is at ${first.file}:${first.line}:${first.column}`,
      );
      return;
    }
    this.#seen.set(key, place('/metadata/name'));
    const located: LocatedResource = { resource, file, locate: (pointer) => place(pointer) };
    (clean ? this.#resources : this.#partial).push(located);
  }

  #definition(
    raw: Record<string, unknown>,
    say: (p: string) => string,
    place: (p: string) => SourcePosition | undefined,
  ): KindDefinition | undefined {
    const fail = (code: Diagnostic['code'], pointer: string, message: string, hint?: string): undefined => {
      this.diagnostics.push(
        diagnostic(code, { message, hint, pointer: say(pointer), position: place(pointer) }),
      );
      return undefined;
    };
    const { kind, apiVersion } = raw;
    if (typeof kind !== 'string')
      return fail(
        kind === undefined ? 'TULLE0102' : 'TULLE0202',
        kind === undefined ? '' : '/kind',
        kind === undefined ? 'the resource has no kind' : `kind must be text, not ${shown(kind)}`,
      );
    const definition = KINDS.find((k) => k.kind === kind);
    if (definition === undefined) {
      const names = KINDS.map((k) => k.kind);
      return fail(
        'TULLE0103',
        '/kind',
        `unknown kind ${JSON.stringify(kind)}`,
        didYouMean(kind, names) ?? `kinds: ${names.join(', ')}`,
      );
    }
    if (apiVersion === undefined)
      return fail(
        'TULLE0203',
        '',
        `${kind} needs the field "apiVersion"`,
        `apiVersion: ${definition.apiVersion}`,
      );
    if (apiVersion !== definition.apiVersion) {
      return fail(
        'TULLE0104',
        '/apiVersion',
        `${kind} is ${definition.apiVersion}, not ${typeof apiVersion === 'string' ? apiVersion : shown(apiVersion)}`,
        `apiVersion: ${definition.apiVersion}`,
      );
    }
    return definition;
  }
}

/** As much of a resource's name as can be read, for messages. */
function refOfRaw(raw: Record<string, unknown>, definition: KindDefinition, namespace: string): ResourceRef {
  const metadata = (
    typeof raw['metadata'] === 'object' && raw['metadata'] !== null ? raw['metadata'] : {}
  ) as Record<string, unknown>;
  const text = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);
  return {
    kind: definition.kind,
    namespace: definition.ofCluster ? CLUSTER_NAMESPACE : text(metadata['namespace'], namespace),
    name: text(metadata['name'], '?'),
  };
}

/** `kubectl create --dry-run -o yaml` writes `creationTimestamp: null`. */
function dropEmptyTimestamp(raw: Record<string, unknown>): void {
  const metadata = raw['metadata'] as Record<string, unknown> | null | undefined;
  if (typeof metadata === 'object' && metadata !== null && metadata['creationTimestamp'] === null)
    delete metadata['creationTimestamp'];
}

/** The value without its faulty fields and entries, when that keeps the schema; for analysis only. */
function withoutFaults(
  raw: Record<string, unknown>,
  definition: KindDefinition,
  pointers: readonly string[],
): Record<string, unknown> | undefined {
  const copy = structuredClone(raw);
  // Deepest and last first, so that positions in lists stay true.
  for (const path of pointers.map(parsePointer).toSorted(comparePaths).reverse()) remove(copy, path);
  return checkSchema(definition.schema, copy).length === 0 ? copy : undefined;
}

function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i] as string, b[i] as string];
    if (x === y) continue;
    return /^\d+$/.test(x) && /^\d+$/.test(y) ? Number(x) - Number(y) : x < y ? -1 : 1;
  }
  return a.length - b.length;
}

function remove(root: unknown, path: readonly string[]): void {
  let parent = root;
  for (const step of path.slice(0, -1)) parent = (parent as Record<string, unknown> | undefined)?.[step];
  const last = path.at(-1);
  if (last === undefined || typeof parent !== 'object' || parent === null) return;
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete (parent as Record<string, unknown>)[last];
}

/** Fills the namespace in, which a kind of the cluster never has of its own, drops status and what an API server keeps for itself. Deep-frozen: resources are shared. */
function normalise(raw: Record<string, unknown>, { ofCluster }: KindDefinition, otherwise: string): Resource {
  const { status: _, metadata: rawMetadata, ...rest } = structuredClone(raw);
  const metadata = rawMetadata as Record<string, unknown>;
  const kept = Object.fromEntries(
    ['name', 'namespace', 'labels', 'annotations', 'creationTimestamp']
      .filter((k) => Object.hasOwn(metadata, k))
      .map((k) => [k, metadata[k]]),
  );
  const namespace = ofCluster ? CLUSTER_NAMESPACE : ((kept['namespace'] as string | undefined) ?? otherwise);
  return freeze({
    apiVersion: rest['apiVersion'],
    kind: rest['kind'],
    metadata: { ...kept, namespace },
    ...rest,
  }) as unknown as Resource;
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(value)) freeze(child);
  return Object.freeze(value);
}
