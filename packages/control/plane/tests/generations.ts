import type { Resource, Service } from '@tulle/resources';

/** Enough that writing them takes some time. */
const COUNT = 300;

/** Services that all say of which generation they are. */
export function resourcesOf(generation: number): Service[] {
  return Array.from({ length: COUNT }, (_, i) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${i}`, namespace: 'default', labels: { generation: String(generation) } },
    spec: { selector: { app: `s${i}` }, ports: [{ port: 80 }] },
  }));
}

/** @returns 0 for no resources. @throws Error when they are not those of one generation, all of them */
export function generationOf(resources: readonly Resource[]): number {
  if (resources.length === 0) return 0;
  const found = new Set(resources.map(({ metadata }) => metadata.labels?.['generation']));
  if (resources.length !== COUNT || found.size !== 1)
    throw new Error(`${resources.length} resources of the generations ${[...found].join(', ')}`);
  return Number([...found][0]);
}
