import type { GatewayProcessSpec } from './gateway-process.ts';
import type { InstanceSpec } from './instance.ts';
import type { TestHandler, TestMeshOptions, TestService } from './mesh-options.ts';

/** Every instance of the mesh, each with a name, an address and an identity of its own. */
export function instanceSpecs(options: TestMeshOptions, trustDomain: string): InstanceSpec[] {
  const specs: InstanceSpec[] = [];
  const numbers = new Map<string, number>();
  for (const [key, given] of Object.entries(options.services)) {
    const [service = '', namespace = 'default', ...more] = key.split('.');
    if (service === '' || more.length > 0)
      throw new Error(`services: ${JSON.stringify(key)} is no name; write name or name.namespace`);
    for (const entry of entriesOf(given)) {
      const { version, instances = 1, serviceAccount = service, port = 8080 } = entry;
      for (let i = 0; i < instances; i++) {
        const group = [service, ...(version === undefined ? [] : [version])].join('-');
        const number = numbers.get(`${namespace}/${group}`) ?? 0;
        numbers.set(`${namespace}/${group}`, number + 1);
        const name = `${group}-${number}`;
        const nth = specs.length + 1;
        specs.push({
          name,
          service,
          namespace,
          serviceAccount,
          version,
          labels: { app: service, ...(version === undefined ? {} : { version }), ...entry.labels },
          port,
          handle: entry.handle ?? (() => ({ body: name })),
          filters: entry.filters ?? options.filters,
          identity: `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`,
          host: `10.0.${nth >> 8}.${nth & 255}`,
          seed: (options.seed ?? 1) * 1000 + nth,
        });
      }
    }
  }
  return specs;
}

function entriesOf(given: TestHandler | TestService | readonly TestService[]): readonly TestService[] {
  if (typeof given === 'function') return [{ handle: given }];
  return Array.isArray(given) ? (given as readonly TestService[]) : [given as TestService];
}

/** The process of every Gateway that is served. */
export function gatewaySpecs(options: TestMeshOptions, trustDomain: string): GatewayProcessSpec[] {
  return Object.entries(options.gateways ?? {}).map(([key, { certificates = [], filters }], i) => {
    const [name = '', namespace = 'default'] = key.split('.');
    return {
      name,
      namespace,
      host: `10.1.0.${i + 1}`,
      identity: `spiffe://${trustDomain}/ns/${namespace}/sa/${name}`,
      certificates,
      filters: filters ?? options.filters,
      seed: (options.seed ?? 1) * 1000 + 900 + i,
    };
  });
}
