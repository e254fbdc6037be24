import { KINDS, type KindDefinition } from '@tulle/resources';
import { optionTable } from '@tulle/schema';
import { anchor, code, page, table } from './markdown.ts';

/** `docs/reference/resources.md`: the kinds of the operator's language and their fields. */
export function resourcesPage(): string {
  return page(
    'Resources',
    'the schemas of the kinds in `@tulle/resources`',
    `What operators write as YAML or JSON, and \`tulle apply\`, \`tulle analyze\` and the control plane's directory read. A field that is not
listed is refused; one that exists in Kubernetes or the Gateway API and that Tulle does not do says so here, and is refused with the
same words. [Codes of faults and findings](../../packages/control/resources/CODES.md).`,
    table(
      ['kind', 'apiVersion', 'names for `tulle get`'],
      KINDS.map((kind) => [
        `[${kind.kind}](#${anchor(kind.kind)})`,
        code(kind.apiVersion),
        [kind.plural, ...kind.shortNames].map(code).join(', '),
      ]),
    ),
    ...KINDS.map((kind) => {
      const {
        description = '',
        properties,
        required,
      } = kind.schema as {
        readonly description?: string;
        readonly properties: Readonly<Record<string, unknown>>;
        readonly required: readonly string[];
      };
      // `metadata` is the same in every kind and stands below once.
      const own = Object.fromEntries(
        Object.entries(properties).filter(
          ([name]) => !['apiVersion', 'kind', 'metadata', 'status'].includes(name),
        ),
      );
      return [
        `## ${kind.kind}`,
        `${description} \`apiVersion: ${kind.apiVersion}\``,
        optionTable({ ...kind.schema, properties: own, required }),
      ].join('\n\n');
    }),
    '## metadata',
    'Of every kind; the form of `name` depends on the kind.',
    optionTable(metadataOf(KINDS[0])),
  );
}

function metadataOf(kind: KindDefinition | undefined): Readonly<Record<string, unknown>> {
  const { properties } = (kind?.schema ?? {}) as {
    readonly properties?: { readonly metadata?: Readonly<Record<string, unknown>> };
  };
  return properties?.metadata ?? {};
}
