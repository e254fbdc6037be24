import { jsonSchema } from '@tulle/schema';
import { describe, expect, it } from 'vitest';
import {
  filterCatalogue,
  findKind,
  KINDS,
  parseDurationMs,
  readResources,
  readResourceValues,
  resourceVersion,
  STANDARD_FILTERS,
  targetPort,
  type Service,
} from '../src/index.ts';

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'a', labels: { x: '1' } },
  spec: { ports: [{ port: 80 }] },
};

describe('the schemas of kinds', () => {
  it.each(KINDS.map(({ kind, schema }) => ({ kind, schema })))(
    '$kind says nothing that checks nothing',
    ({ schema }) => {
      jsonSchema(schema);
    },
  );
});

describe('the catalogue of filters', () => {
  it.each(STANDARD_FILTERS.map(({ id }) => id))('knows the schema of %s', (id) => {
    expect(
      filterCatalogue()
        .get(id)
        ?.validate({ nonsense: 1 })
        .map(({ message }) => message),
    ).toContainEqual(expect.stringContaining('unknown field "nonsense"'));
  });
});

describe('reading', () => {
  it('drops what an API server keeps for itself and fills the namespace in, so content alone makes the version', async () => {
    const kept = {
      ...SERVICE,
      metadata: { ...SERVICE.metadata, uid: 'u', resourceVersion: '7', generation: 3, managedFields: [] },
      status: { loadBalancer: {} },
    };
    const [a, b] = await Promise.all([readResourceValues(SERVICE), readResourceValues(kept)]);
    expect(b.diagnostics).toEqual([]);
    expect(b.resources[0]?.resource).toEqual({
      ...SERVICE,
      metadata: { ...SERVICE.metadata, namespace: 'default' },
    });
    expect(resourceVersion(a.resources[0]!.resource)).toBe(resourceVersion(b.resources[0]!.resource));
  });

  it('takes the clusterIP of a Service, and says who is called at it', async () => {
    const kept = { ...SERVICE, spec: { ...SERVICE.spec, clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] } };
    const { diagnostics } = await readResourceValues(kept);
    expect(diagnostics).toEqual([]);
    const { properties } = (findKind('Service')?.schema ?? {}) as {
      readonly properties: {
        readonly spec: { readonly properties: Record<string, { description: string }> };
      };
    };
    const { clusterIP, clusterIPs } = properties.spec.properties;
    expect(clusterIP?.description).toContain('workloads whose calls are captured');
    expect(clusterIP?.description).toContain('Others do not use it');
    expect(clusterIPs?.description).toContain('not used');
  });

  it('gives a version that changes with content, not with the order of fields', async () => {
    const { metadata, spec, ...rest } = SERVICE;
    const [a, b, c] = await Promise.all([
      readResourceValues(SERVICE),
      readResourceValues({ spec, metadata, ...rest }),
      readResourceValues({ ...SERVICE, spec: { ports: [{ port: 81 }] } }),
    ]);
    expect(resourceVersion(b.resources[0]!.resource)).toBe(resourceVersion(a.resources[0]!.resource));
    expect(resourceVersion(c.resources[0]!.resource)).not.toBe(resourceVersion(a.resources[0]!.resource));
  });

  it('takes lists of kubectl, JSON arrays, JSON files and YAML merge keys', async () => {
    const list = await readResourceValues({
      apiVersion: 'v1',
      kind: 'List',
      items: [SERVICE, { ...SERVICE, metadata: { name: 'b' }, spek: 1 }],
    });
    expect(list.resources).toHaveLength(1);
    expect(list.diagnostics.map((d) => d.pointer)).toEqual(['/items/1/spek']);
    expect((await readResourceValues([SERVICE])).resources).toHaveLength(1);
    expect(
      (await readResources([{ text: JSON.stringify(SERVICE, null, 2), file: 'a.json' }])).diagnostics,
    ).toEqual([]);
    const read = await readResources([
      {
        text: `apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec:\n  ports: [&p { port: 80, name: x }, { <<: *p, name: y, port: 81 }]`,
        file: 'f',
      },
    ]);
    expect(read.diagnostics).toEqual([]);
    expect((read.resources[0]!.resource as Service).spec.ports[1]).toEqual({ port: 81, name: 'y' });
  });

  it('takes an indented directive for content, which hides nothing of the next document', async () => {
    for (const text of [' %', '\t%', ' %YAML 1.2'])
      expect(
        (await readResources([{ text: `${text}\n---\nspec: 1`, file: 'f' }])).diagnostics.map(
          (d) => d.position?.line,
        ),
      ).toContain(3);
  });

  it('knows a directive from a document, and empty documents from none', async () => {
    const text = `%YAML 1.2\n# head\n---\n---\n# only a comment\n---\n${JSON.stringify(SERVICE)}\n...\n`;
    const read = await readResources([{ text, file: 'f' }]);
    expect(read.diagnostics).toEqual([]);
    expect(read.resources).toHaveLength(1);
  });

  it('finds the place of a field again, or of its nearest ancestor', async () => {
    const read = await readResources([
      {
        text: 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec:\n  ports:\n    - port: 80',
        file: 'f',
      },
    ]);
    expect(read.resources[0]?.locate('/spec/ports/0/port')).toEqual({ file: 'f', line: 6, column: 13 });
    expect(read.resources[0]?.locate('/spec/ports/7/name')).toEqual({ file: 'f', line: 6, column: 5 });
  });

  it('refuses a text past its bound without parsing it', async () => {
    const read = await readResources([{ text: `# ${'x'.repeat(100)}`, file: 'f' }], {
      limits: { maxBytes: 50 },
    });
    expect(read.diagnostics.map((d) => d.code)).toEqual(['TULLE0105']);
  });
});

describe('names of kinds', () => {
  it('are found as kubectl users write them', () => {
    expect(['svc', 'services', 'Service', 'httproute', 'AP'].map((n) => findKind(n)?.kind)).toEqual([
      'Service',
      'Service',
      'Service',
      'HTTPRoute',
      'AuthorizationPolicy',
    ]);
    expect(new Set(KINDS.flatMap((k) => [k.plural, ...k.shortNames])).size).toBe(
      KINDS.flatMap((k) => [k.plural, ...k.shortNames]).length,
    );
  });
});

describe('durations', () => {
  it('are those of Gateway API, nothing else', () => {
    expect(['10s', '1h30m', '250ms', '0s', '1s500ms'].map(parseDurationMs)).toEqual([
      10_000, 5_400_000, 250, 0, 1_500,
    ]);
    expect(['1', 's', '1.5s', '-1s', '100000s', '1h1m1s1ms1s', ' 1s', '1S'].map(parseDurationMs)).toEqual(
      Array(8).fill(undefined),
    );
  });
});

describe('the port of a Workload that a Service port means', () => {
  const sidecar = {
    inbound: { mode: 'sidecar' as const, port: 1 },
    ports: [{ name: 'http', port: 8080 }, { port: 9090 }],
  };
  it.each([
    ['by name', { port: 80, targetPort: 'http' }, sidecar, 8080],
    ['by number', { port: 80, targetPort: 9090 }, sidecar, 9090],
    ['the same number', { port: 9090 }, sidecar, 9090],
    ['none that has the number', { port: 80 }, sidecar, undefined],
    [
      'the only port, when targetPort is absent',
      { port: 80 },
      { ...sidecar, ports: [{ port: 41_233 }] },
      41_233,
    ],
    [
      'not the only port, when targetPort says another',
      { port: 80, targetPort: 81 },
      { ...sidecar, ports: [{ port: 41_233 }] },
      undefined,
    ],
    [
      'an undeclared one, where there is no sidecar',
      { port: 80, targetPort: 81 },
      { inbound: { mode: 'none' as const }, ports: [] },
      81,
    ],
  ])('%s', (_, port, workload, expected) => {
    expect(targetPort(port, workload)?.port).toBe(expected);
  });
});
