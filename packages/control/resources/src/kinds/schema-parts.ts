import type { JsonSchema } from '@tulle/model';
import { DURATION_PATTERN } from '../duration.ts';

/** Marks a field that exists in the kind's specification but that Tulle does not honour; the value says what to do. */
export const NOT_HONOURED = 'x-tulle-not-honoured';

type Properties = Readonly<Record<string, JsonSchema>>;

/** An object that refuses unknown fields. */
export function object(
  description: string,
  properties: Properties,
  required: readonly string[] = [],
): JsonSchema {
  return {
    type: 'object',
    description,
    additionalProperties: false,
    properties,
    ...(required.length > 0 ? { required } : {}),
  };
}

/** A known field that is refused, with what to do instead. */
export function notHonoured(instead: string): JsonSchema {
  return { description: `Not honoured. ${instead}`, [NOT_HONOURED]: instead };
}

export const text = (description: string, more: JsonSchema = {}): JsonSchema => ({
  type: 'string',
  description,
  ...more,
});
export const truth = (description: string): JsonSchema => ({ type: 'boolean', description });
export const oneOf = (description: string, values: readonly (string | number)[]): JsonSchema => ({
  type: typeof values[0] === 'number' ? 'integer' : 'string',
  enum: values,
  description,
});
export const integer = (description: string, minimum: number, maximum: number): JsonSchema => ({
  type: 'integer',
  minimum,
  maximum,
  description,
});
export const list = (
  description: string,
  items: JsonSchema,
  minItems: number,
  maxItems: number,
): JsonSchema => ({
  type: 'array',
  items,
  minItems,
  maxItems,
  description,
});

export const duration = (description: string): JsonSchema => ({
  type: 'string',
  pattern: DURATION_PATTERN,
  description: `${description} A duration such as 250ms, 10s, 1h30m.`,
});
export const port = (description: string): JsonSchema => integer(description, 1, 65_535);

const labelPattern = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';
const subdomainPattern = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';

/** RFC 1123 label, as Kubernetes names Services, namespaces and ports. */
export const dnsLabel = (description: string): JsonSchema => ({
  type: 'string',
  minLength: 1,
  maxLength: 63,
  pattern: labelPattern,
  description,
});
/** RFC 1123 subdomain, as Kubernetes names most things. */
export const dnsSubdomain = (description: string): JsonSchema => ({
  type: 'string',
  minLength: 1,
  maxLength: 253,
  pattern: subdomainPattern,
  description,
});

/** Group of a kind that a reference names (Gateway API `Group`). */
export const groupOf = (description: string): JsonSchema =>
  text(description, { maxLength: 253, pattern: `^$|${subdomainPattern}` });
/** Kind that a reference names (Gateway API `Kind`). */
export const kindOf = (description: string): JsonSchema =>
  text(description, { minLength: 1, maxLength: 63, pattern: '^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$' });

/** What a policy of the Gateway API is for (`LocalPolicyTargetReference`). @param more fields beside the three that it needs */
export const serviceTargets = (description: string, more: Properties = {}): JsonSchema =>
  list(
    description,
    object(
      'A Service; for what is something else the policy does nothing, and status says so (TargetNotFound).',
      {
        group: groupOf('Empty: the core group.'),
        kind: kindOf('Service; others are not served, and status says so.'),
        name: text('Name.', { minLength: 1, maxLength: 253 }),
        ...more,
      },
      ['group', 'kind', 'name'],
    ),
    1,
    16,
  );

/** Host name without wildcard. */
export const hostname: JsonSchema = text('Host name.', {
  minLength: 1,
  maxLength: 253,
  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
});
/** Host name, the first label may be a wildcard (Gateway API `Hostname`). */
export const hostnameOrWildcard: JsonSchema = text('Host name, the first label may be *.', {
  minLength: 1,
  maxLength: 253,
  pattern: '^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
});

/** Texts by name. @param most of them; default: any number */
export const strings = (description: string, most?: number): JsonSchema => ({
  type: 'object',
  additionalProperties: { type: 'string' },
  ...(most === undefined ? {} : { maxProperties: most }),
  description,
});

export const labels = (description: string): JsonSchema => strings(description);

/** `selector: { matchLabels }` of policies. */
export const selectorSchema: JsonSchema = object(
  'Which Workloads, by label. All labels must be equal.',
  {
    matchLabels: labels('Labels with their values.'),
    matchExpressions: notHonoured('Use matchLabels.'),
  },
  ['matchLabels'],
);

/** `metadata` of every kind. Bookkeeping that an API server adds is accepted and dropped: it asks for nothing. */
export function metadataSchema(name: JsonSchema): JsonSchema {
  const bookkeeping: JsonSchema = { description: 'Kept by an API server; read over.' };
  return object(
    'Name and labels.',
    {
      name,
      namespace: dnsLabel('Namespace. Default: default.'),
      labels: labels('Labels, for selectors.'),
      annotations: strings(
        'Annotations. Tulle reads tulle.dev/service-accounts of a Service: whose Workloads it takes.',
      ),
      creationTimestamp: {
        type: 'string',
        description: 'RFC 3339 time; older resources win ties.',
        pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$',
      },
      uid: bookkeeping,
      resourceVersion: bookkeeping,
      generation: bookkeeping,
      selfLink: bookkeeping,
      managedFields: bookkeeping,
      ownerReferences: bookkeeping,
      finalizers: bookkeeping,
      generateName: notHonoured('Give the resource a name.'),
    },
    ['name'],
  );
}

/** Schema of a whole resource. */
export function resourceSchema(
  apiVersion: string,
  kind: string,
  description: string,
  name: JsonSchema,
  body: Properties,
  required: readonly string[],
): JsonSchema {
  return {
    ...object(
      description,
      {
        apiVersion: { const: apiVersion, description: 'API group and version.' },
        kind: { const: kind, description: 'Kind.' },
        metadata: metadataSchema(name),
        ...body,
        status: { description: 'Kept by an API server; read over.' },
      },
      ['apiVersion', 'kind', 'metadata', ...required],
    ),
    title: kind,
  };
}
