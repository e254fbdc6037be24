import { isIPv4 } from 'node:net';
import { jsonSchema } from '@tulle/schema';
import { issueText } from './issue-text.ts';

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
  /** On which it takes calls; none: it only calls. Others are not captured. */
  readonly ports: readonly number[];
  /** Join token for its service account; absent: a saved identity, or the token that the proxy gets for it. */
  readonly token?: string;
  /** What becomes of calls to whom the mesh does not know. Default `passthrough`. */
  readonly egress: 'passthrough' | 'registry-only';
}

const LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';
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
    address: { type: 'string', description: 'IPv4 address.' },
    ports: { type: 'array', maxItems: 100, items: { type: 'integer', minimum: 1, maximum: 65_535 } },
    token: { type: 'string', minLength: 1 },
    egress: { enum: ['passthrough', 'registry-only'] },
  },
});

/** @throws Error naming the file, and each field that is wrong */
export function readWorkload(text: string, file: string): NodeWorkload {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: is no JSON: ${(error as Error).message}`, { cause: error });
  }
  const result = schema['~standard'].validate(given);
  if (result instanceof Promise) throw new Error(`${file}: cannot be checked at once`);
  if (result.issues !== undefined) throw new Error(`${file}: ${result.issues.map(issueText).join('; ')}`);
  const { value } = result;
  if (!isIPv4(value.address))
    throw new Error(`${file}: address: ${JSON.stringify(value.address)} is no IPv4 address`);
  return {
    namespace: 'default',
    serviceAccount: value.name,
    labels: { app: value.name },
    ports: [],
    egress: 'passthrough',
    ...value,
  };
}

/** Tells the workloads of a node apart. */
export function keyOf({ namespace, name: workload }: Pick<NodeWorkload, 'name' | 'namespace'>): string {
  return `${namespace}.${workload}`;
}
