import { CliError, EXIT } from '../cli/exit-codes.ts';
import type { Problem } from '../api/api-client.ts';

/** Text of a file, with its name for messages. */
interface SourceText {
  readonly text: string;
  readonly file: string;
}

/** Resources of files, with where each stands. */
export interface ReadXds {
  readonly resources: readonly unknown[];
  /** File and number of the resource in it, by place in {@link resources}. */
  readonly places: readonly string[];
}

/** Words of the types that have some, for help and completion. */
export const XDS_TYPES: readonly string[] = [
  'listener',
  'route',
  'scoped-route',
  'virtual-host',
  'cluster',
  'endpoint',
  'secret',
  'extension',
  'runtime',
];

/**
 * xDS resources of JSON or YAML files: documents that are a resource with `@type`, a list of such, or `{ resources: […] }`,
 * as `tulle xds list NODE -o yaml` prints it.
 * @throws CliError 65 with file, line and column
 */
export async function readXdsFiles(files: readonly SourceText[]): Promise<ReadXds> {
  const { parseAllDocuments } = await import('yaml');
  const resources: unknown[] = [];
  const places: string[] = [];
  for (const { text, file } of files) {
    let count = 0;
    for (const document of parseAllDocuments(text)) {
      const [fault] = 'errors' in document ? document.errors : [];
      if (fault) {
        const [at] = fault.linePos ?? [];
        throw new CliError(
          EXIT.invalid,
          `${file}${at === undefined ? '' : `:${at.line}:${at.col}`}: ${fault.message.split('\n')[0]}`,
          'write JSON or YAML',
        );
      }
      for (const one of resourcesIn(document.toJS())) {
        resources.push(one);
        places.push(`${file}, resource ${++count}`);
      }
    }
  }
  return { resources, places };
}

function resourcesIn(document: unknown): readonly unknown[] {
  if (document === null || document === undefined) return [];
  if (typeof document !== 'object') return [document];
  if (Array.isArray(document)) return document;
  const { resources } = document as { readonly resources?: unknown };
  if (!Array.isArray(resources) || '@type' in document) return [document];
  return resources.map((one: unknown) => (isShown(one) ? one.resource : one));
}

/** As the API shows resources, with the message in it. */
const isShown = (one: unknown): one is { readonly resource: unknown } =>
  typeof one === 'object' && one !== null && 'typeUrl' in one && 'resource' in one;

/** A problem of the API as this command's end, with each fault where it stands. */
export function xdsProblem(
  { status, detail, hint, faults = [] }: Problem,
  places: readonly string[] = [],
): CliError {
  const lines = faults.map(({ path, message }) => {
    const [, place, rest = ''] = /^\/resources\/(\d+)(\/.*)?$/.exec(path) ?? [];
    const where =
      place === undefined ? path : `${places[Number(place)] ?? place}${rest === '' ? '' : `: ${rest}`}`;
    return `\n  ${where}${where === '' ? '' : ' '}${message}`;
  });
  return new CliError(
    status === 422 || status === 400 ? EXIT.invalid : EXIT.failed,
    lines.length === 0 ? detail : `nothing was changed:${lines.join('')}`,
    hint,
  );
}

/** Path of a node's set in the API. */
export const nodePath = (node: string): string => `/api/v1/xds/${encodeURIComponent(node)}`;

/** Path of one resource in the API. */
export const resourcePath = (node: string, type: string, name: string): string =>
  `${nodePath(node)}/${encodeURIComponent(type)}/${encodeURIComponent(name)}`;

/** Last part of a type URL, in the word for it where there is one. */
export function typeText(typeUrl: string): string {
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  return WORDS.get(name) ?? name;
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['envoy.config.listener.v3.Listener', 'listener'],
  ['envoy.config.route.v3.RouteConfiguration', 'route'],
  ['envoy.config.route.v3.ScopedRouteConfiguration', 'scoped-route'],
  ['envoy.config.route.v3.VirtualHost', 'virtual-host'],
  ['envoy.config.cluster.v3.Cluster', 'cluster'],
  ['envoy.config.endpoint.v3.ClusterLoadAssignment', 'endpoint'],
  ['envoy.extensions.transport_sockets.tls.v3.Secret', 'secret'],
  ['envoy.config.core.v3.TypedExtensionConfig', 'extension'],
  ['envoy.service.runtime.v3.Runtime', 'runtime'],
]);
