import {
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  type Registry,
  toBinary,
} from '@bufbuild/protobuf';
import { type Any, AnySchema, durationMs, type Duration } from '@bufbuild/protobuf/wkt';
import { type ConfigIssue, TulleError } from '@tulle/filter';
import { type Resource, ResourceSchema } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { wireResource } from '../encode/wire-resource.ts';
import { TYPE_PREFIX } from '../wire.ts';
import { jsonFaults } from './json-faults.ts';
import type { RawResource } from './raw-set.ts';
import { shortTypeOf, VIRTUAL_HOST } from './resource-types.ts';

/**
 * A resource as somebody gives it: a Protobuf-ES message, such as `create(ClusterSchema, { … })`; or protobuf's JSON with its
 * type in `@type`, fields in either spelling. `envoy.service.discovery.v3.Resource`, as either, says a name and a TTL besides
 * its `resource`, and may hold bytes (`google.protobuf.Any`) of a type that nobody here knows.
 */
export type ResourceInput = Message | Readonly<Record<string, unknown>>;

/** How resources are read. */
export interface ReadOptions {
  readonly registry: Registry;
  /** Larger ones are refused. */
  readonly maxBytes: number;
}

/** Where a resource stands in what was given, and how it is called there. */
interface Place {
  /** JSON pointer; `''` where it is the whole. */
  readonly path: string;
  /** Name beside it; absent where it says its own. */
  readonly name?: string;
}

/** Shortest TTL: a heartbeat each half of it must not be a load. */
const MIN_TTL_MS = 100;

/**
 * Reads resources, all or none.
 * @throws TulleError `TULLE_CONFIG_INVALID` with every fault; paths begin with `/resources/N`
 */
export function readResources(inputs: readonly ResourceInput[], options: ReadOptions): RawResource[] {
  const issues: ConfigIssue[] = [];
  const read: RawResource[] = [];
  const seen = new Map<string, number>();
  for (const [i, input] of inputs.entries()) {
    const path = `/resources/${i}`;
    const result = readResource(input, options, { path });
    if (isFaulty(result)) {
      issues.push(...result);
      continue;
    }
    const { typeUrl, name } = result;
    const before = seen.get(`${typeUrl} ${name}`);
    if (before === undefined) seen.set(`${typeUrl} ${name}`, i);
    else
      issues.push({
        path,
        message: `is the ${shortTypeOf(typeUrl)} ${JSON.stringify(name)}, as /resources/${before} is: each may be there once`,
      });
    read.push(result);
  }
  if (issues.length > 0) throw invalid(issues);
  return read;
}

/**
 * Reads one resource.
 * @param name what it is called, where it does not say so itself
 * @throws TulleError `TULLE_CONFIG_INVALID` with every fault
 */
export function readOne(input: ResourceInput, options: ReadOptions, name: string | undefined): RawResource {
  const result = readResource(input, options, { path: '', ...(name === undefined ? {} : { name }) });
  if (isFaulty(result)) throw invalid(result);
  return result;
}

const isFaulty = (result: RawResource | readonly ConfigIssue[]): result is readonly ConfigIssue[] =>
  Array.isArray(result);

/** An error that lists what is wrong, as many as a person reads. */
export function invalid(
  issues: readonly ConfigIssue[],
  reason: 'invalid' | 'inconsistent' = 'invalid',
): TulleError {
  const shown = issues.slice(0, 20).map(({ path, message }) => `${path}${path === '' ? '' : ' '}${message}`);
  if (issues.length > shown.length) shown.push(`and ${issues.length - shown.length} more`);
  return new TulleError('TULLE_CONFIG_INVALID', `Nothing was changed: ${shown.join('; ')}`, {
    issues,
    context: { reason },
  });
}

function readResource(
  input: ResourceInput,
  options: ReadOptions,
  { path, name: beside }: Place,
): RawResource | readonly ConfigIssue[] {
  let opened: Opened | ConfigIssue[];
  try {
    opened = openInput(input, options, path);
  } catch (cause) {
    return [{ path, message: `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}` }];
  }
  if (Array.isArray(opened)) return opened;
  const { any, name: given, ttl, at } = opened;
  if (any.typeUrl === '' || !any.typeUrl.includes('/'))
    return [
      {
        path: at,
        message: `has the type ${JSON.stringify(any.typeUrl)}, which must be like ${TYPE_PREFIX}NAME`,
      },
    ];
  const schema = options.registry.getMessage(any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1));
  let content: RawResource['content'];
  if (schema) {
    try {
      content = { schema, message: fromBinary(schema, any.value) };
    } catch (cause) {
      return [{ path: at, message: `are no bytes of ${schema.typeName}: ${String(cause)}` }];
    }
  }
  // A virtual host is asked for as `ROUTES/NAME`, which it does not say itself.
  const own = content && any.typeUrl !== VIRTUAL_HOST ? nameIn(content.schema, content.message) : undefined;
  if (beside !== undefined && given !== '' && given !== beside)
    return [
      {
        path: `${path}/name`,
        message: `is ${JSON.stringify(given)}, but it was to be called ${JSON.stringify(beside)}`,
      },
    ];
  const name = beside ?? (given === '' ? own : given);
  if (name === undefined || name === '')
    return [
      {
        path: at,
        message: content
          ? `has no name${own === undefined ? '; give one in a Resource around it' : ''}`
          : 'has no name; give one in the Resource around it',
      },
    ];
  if (own !== undefined && own !== '' && own !== name)
    return [
      {
        path: `${path}/name`,
        message: `is ${JSON.stringify(name)}, but the resource calls itself ${JSON.stringify(own)}`,
      },
    ];
  if (any.value.length > options.maxBytes)
    return [{ path: at, message: `has ${any.value.length} bytes; at most ${options.maxBytes} are sent` }];
  const ttlMs = ttl && durationMs(ttl);
  if (ttlMs !== undefined && !(ttlMs >= MIN_TTL_MS))
    return [{ path: `${path}/ttl`, message: `is ${ttlMs} ms; the shortest is ${MIN_TTL_MS} ms` }];
  return { typeUrl: any.typeUrl, name, wire: wireResource(name, any, ttlMs), content };
}

interface Opened {
  readonly any: Any;
  /** Of the `Resource` around it; `''` for none. */
  readonly name: string;
  readonly ttl: Duration | undefined;
  /** Where the message is. */
  readonly at: string;
}

/** Takes the message out of whatever it came in. */
function openInput(input: ResourceInput, options: ReadOptions, path: string): Opened | ConfigIssue[] {
  // Callers without types, such as those of REST, give anything.
  if (typeof input !== 'object' || input === null)
    return [{ path, message: `must be an object with @type, but is ${JSON.stringify(input)}` }];
  const message = '$typeName' in input ? (input as Message) : messageOf(input, options, path);
  if (Array.isArray(message)) return message;
  const { $typeName: typeName } = message;
  if (typeName === AnySchema.typeName) return { any: message as Any, name: '', ttl: undefined, at: path };
  if (typeName === ResourceSchema.typeName) {
    const { name, ttl, resource } = message as Resource;
    if (!resource) return [{ path: `${path}/resource`, message: 'is missing' }];
    return { any: resource, name, ttl, at: `${path}/resource` };
  }
  const schema = options.registry.getMessage(typeName);
  if (!schema)
    return [
      { path, message: `is a ${typeName}, which is not known here; give its bytes as google.protobuf.Any` },
    ];
  return { any: packed(schema, message), name: '', ttl: undefined, at: path };
}

function packed(schema: DescMessage, message: Message): Any {
  return {
    $typeName: AnySchema.typeName,
    typeUrl: TYPE_PREFIX + schema.typeName,
    value: toBinary(schema, message),
  };
}

/** JSON with `@type` as the message that it is. */
function messageOf(json: unknown, { registry }: ReadOptions, path: string): Message | ConfigIssue[] {
  const faults = jsonFaults(AnySchema, json, registry, path);
  if (faults.length > 0) return faults;
  const any = fromJson(AnySchema, json as JsonValue, { registry });
  const schema = registry.getMessage(any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1));
  if (!schema) return [{ path, message: 'is empty; it must have an @type' }];
  return fromBinary(schema, any.value);
}

/** What a message says that it is called. @returns `undefined` for a type without names */
function nameIn(schema: DescMessage, message: Message): string | undefined {
  const fields = new Map<string, unknown>(Object.entries(message));
  const named = fields.get(
    schema.fields.some(({ name }) => name === 'cluster_name') ? 'clusterName' : 'name',
  );
  return typeof named === 'string' ? named : undefined;
}
