import fc from 'fast-check';
import type { SidecarMetadata } from '../src/index.ts';
import { app, gatewayName, port, some } from './arbitrary-parts.ts';

const index = fc.constantFrom('1', '2');

interface AnyProxy {
  readonly metadata: SidecarMetadata;
  readonly instance: string;
}

/** The process of one of few Gateways. */
const gatewayProxy: fc.Arbitrary<AnyProxy> = fc.record({
  instance: index,
  metadata: some(
    {
      workload: gatewayName,
      gateway: fc.constantFrom(
        {},
        {
          ports: { 80: { port: 8080 } },
          certificates: { directory: '/c', names: ['default/here', 'shop/here'] },
        },
      ),
    },
    { namespace: fc.constantFrom('default', 'shop') },
  ),
});

/** A sidecar of one of few workloads, in one of few instances. */
const sidecar: fc.Arbitrary<AnyProxy> = fc.record({
  instance: index,
  metadata: some(
    {
      workload: app,
      labels: app.map((name) => ({ app: name, version: 'v1' })),
      ports: fc.constantFrom<readonly number[]>([], [5001]),
      inbound: fc.constant({ address: '127.0.0.1', port: 15_101 }),
      upstreams: fc.uniqueArray(
        some(
          {
            service: fc.constantFrom('a', 'b.shop', 'c.default'),
            localPort: fc.constantFrom(19_001, 19_002),
          },
          { servicePort: port },
        ),
        { maxLength: 2, selector: (u) => u.localPort },
      ),
    },
    { namespace: fc.constantFrom('default', 'shop') },
  ),
});

/** A workload behind a node proxy. */
const behindNodeProxy: fc.Arbitrary<AnyProxy> = fc.record({
  instance: index,
  metadata: some(
    {
      workload: app,
      labels: app.map((name) => ({ app: name, version: 'v1' })),
      ports: fc.constant([5001]),
      inbound: fc.constantFrom({ address: '10.0.0.1', port: 1 }, { address: '10.0.0.2', port: 1 }),
      hbone: fc.constant({ outboundPort: 15_001, inboundPort: 15_006 }),
    },
    { namespace: fc.constantFrom('default', 'shop') },
  ),
});

/** A proxy that may join. */
export const anyProxy: fc.Arbitrary<AnyProxy> = fc.oneof(
  { weight: 3, arbitrary: sidecar },
  { weight: 1, arbitrary: behindNodeProxy },
  { weight: 1, arbitrary: gatewayProxy },
);
