import { isIP } from 'node:net';
import { REACHABLE_PATTERN } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { issueText, type Issue } from './issue-text.ts';

/** Ports of the proxy inside the network of a workload; the field's, since nothing else of the mesh is there. */
export const PROXY_PORTS = {
  outboundPort: 15_001,
  inboundPort: 15_006,
  port: 15_008,
  dnsPort: 15_053,
} as const;

/** A workload of this node. */
export interface NodeWorkload {
  /** Name of the workload in the mesh. */
  readonly name: string;
  /** Default `default`. */
  readonly namespace: string;
  /** Default: its name. */
  readonly serviceAccount: string;
  /** Default `{ app: name }`. */
  readonly labels: Readonly<Record<string, string>>;
  /** File of its network namespace, e.g. `/run/netns/web`. */
  readonly network: string;
  /** Its own, at which others reach it. */
  readonly address: string;
  /** On which it takes calls; none: it only calls. At others it is reached in plain text, where PERMISSIVE. */
  readonly ports: readonly number[];
  /** Ports at which it is called past the proxy, by whoever likes. Default none. */
  readonly excludeInboundPorts: readonly number[];
  /**
   * IP addresses of who is asked for names that the mesh does not know; none: its DNS is left alone. Default: those of
   * `/etc/netns/NAME/resolv.conf`, where its network is `/run/netns/NAME` and that is there, else of the node.
   */
  readonly resolvers?: readonly string[];
  /** Join token for its service account; absent: a saved identity, or the token that the proxy gets for it. */
  readonly token?: string;
  /** What becomes of calls to whom the mesh does not know. Default `passthrough`. */
  readonly egress: 'passthrough' | 'registry-only';
  /** Services that it calls: `name`, `name.namespace`, `*.namespace` or `*`; others the mesh does not know for it. Default `['*']`. */
  readonly reachable: readonly string[];
}

const LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';
const PORTS = {
  type: 'array',
  maxItems: 100,
  items: { type: 'integer', minimum: 1, maximum: 65_535 },
} as const;
const name = { type: 'string', pattern: LABEL, maxLength: 63 } as const;
const schema = jsonSchema<Partial<NodeWorkload> & Pick<NodeWorkload, 'name' | 'network' | 'address'>>({
  type: 'object',
  additionalProperties: false,
  required: ['name', 'network', 'address'],
  properties: {
    name,
    namespace: name,
    serviceAccount: name,
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    network: { type: 'string', pattern: '^/', description: 'Path of the file of a network namespace.' },
    address: { type: 'string', description: 'IP address.' },
    ports: PORTS,
    excludeInboundPorts: PORTS,
    resolvers: { type: 'array', maxItems: 3, items: { type: 'string', description: 'IP address.' } },
    token: { type: 'string', minLength: 1 },
    egress: { enum: ['passthrough', 'registry-only'] },
    reachable: {
      type: 'array',
      maxItems: 1000,
      items: {
        type: 'string',
        pattern: REACHABLE_PATTERN,
        description: 'A Service, as name, name.namespace, *.namespace or *.',
      },
    },
  },
});

/** @throws Error naming the file, and line, field and value of each thing that is wrong, with what would be right. @param file absent: the text is not a file's */
export function readWorkload(text: string, file?: string): NodeWorkload {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file ?? 'a workload'}: is no JSON: ${(error as Error).message}`, { cause: error });
  }
  const result = schema['~standard'].validate(given);
  if (result instanceof Promise) throw new Error('a workload cannot be checked at once');
  const issues = result.issues ?? ownIssues(result.value);
  const placeOf = ({ path }: Issue): string =>
    file === undefined ? '' : `${file}:${lineOf(text, path?.[0])}: `;
  if (issues.length > 0)
    throw new Error(issues.map((issue) => `${placeOf(issue)}${issueText(issue)}`).join('; '));
  const { value } = result as { readonly value: Parameters<typeof ownIssues>[0] };
  return {
    namespace: 'default',
    serviceAccount: value.name,
    labels: { app: value.name },
    ports: [],
    excludeInboundPorts: [],
    egress: 'passthrough',
    reachable: ['*'],
    ...value,
  };
}

/** What the schema cannot say. */
function ownIssues({
  address,
  ports = [],
  excludeInboundPorts = [],
  resolvers = [],
}: Partial<NodeWorkload> & Pick<NodeWorkload, 'name' | 'network' | 'address'>): Issue[] {
  const taken = ports.filter((port) => Object.values(PROXY_PORTS).includes(port as never));
  return [
    ...(isIP(address) !== 0
      ? []
      : [{ path: ['address'], message: `${JSON.stringify(address)} is no IP address, e.g. 10.1.0.7` }]),
    ...resolvers
      .filter((one) => isIP(one) === 0)
      .map((one) => ({
        path: ['resolvers'],
        message: `${JSON.stringify(one)} is no IP address, e.g. 10.96.0.10; an empty list leaves DNS alone`,
      })),
    ...ports
      .filter((port) => excludeInboundPorts.includes(port))
      .map((port) => ({
        path: ['excludeInboundPorts'],
        message: `${port} is one of ports too: a port is called by the mesh, or past the proxy`,
      })),
    ...taken.map((port) => ({
      path: ['ports'],
      message: `${port} is the proxy's own in the workload's network, as are ${Object.values(PROXY_PORTS).join(', ')}; let the program listen on another`,
    })),
  ];
}

/** The line of a field of an object in JSON, from 1; that of the object where it has none. */
function lineOf(text: string, field: unknown): number {
  let [line, depth] = [1, 0];
  let last: { readonly token: string; readonly line: number } | undefined;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:\n]/g)) {
    if (token === '\n') line++;
    else if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (token !== ':') last = { token, line };
    else if (depth === 1 && last?.token === JSON.stringify(field)) return last.line;
  }
  return 1;
}

/** Tells the workloads of a node apart. */
export function keyOf({ namespace, name: workload }: Pick<NodeWorkload, 'name' | 'namespace'>): string {
  return `${namespace}.${workload}`;
}
