import type { WasmModule } from '@tulle/model';
import { fakeClock, grpcUpstream, memoryNetwork, testProxy, type UpstreamRequest } from '@tulle/testkit';
import { wasm } from '../src/index.ts';

/** A proxy with a module, a service, and the cluster `other` that speaks gRPC and answers the message `ask` by `reply`. */
export function grpcMesh(
  module: WasmModule,
  reply: Uint8Array | number,
): { ask(): Promise<UpstreamRequest | undefined> } {
  return {
    /** @returns what the service was asked */
    async ask() {
      const clock = fakeClock();
      const network = memoryNetwork(clock);
      grpcUpstream(network, '10.0.9.1:9000', (message) =>
        Buffer.from(message).toString() === 'ask' ? reply : 3,
      );
      const at = (host: string, port: number) => ({
        discovery: { kind: 'static' as const, endpoints: [{ address: { host, port } }] },
      });
      const proxy = await testProxy({
        clock,
        network,
        listeners: [
          {
            name: 'test',
            address: { host: '127.0.0.1', port: 8080 },
            filterChains: [
              {
                name: 'http',
                handler: {
                  kind: 'http',
                  filters: [wasm({ module })],
                  routes: {
                    name: 'all',
                    virtualHosts: [
                      {
                        name: 'all',
                        domains: ['*'],
                        routes: [
                          {
                            name: 'all',
                            match: { path: { kind: 'prefix', value: '/' } },
                            action: { kind: 'forward', clusters: [{ name: 'service' }] },
                          },
                        ],
                      },
                    ],
                  },
                },
              },
            ],
          },
        ],
        clusters: [
          { name: 'service', ...at('10.0.0.1', 80) },
          { name: 'other', pool: { protocol: 'http2' }, ...at('10.0.9.1', 9000) },
        ],
        upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
      });
      try {
        let over = false;
        const asked = proxy
          .client()
          .request({})
          .finally(() => (over = true));
        for (let ms = 0; ms < 2_000 && !over; ms += 10) await clock.advance(10);
        await asked;
        return proxy.upstream('10.0.0.1:80').requests[0];
      } finally {
        await proxy.stop();
      }
    },
  };
}
