import { create } from '@bufbuild/protobuf';
import { type Server, type ServerWritableStream, status } from '@grpc/grpc-js';
import type { IdentitySnapshot, TrustBundle } from '@tulle/model';
import { certificatesOfPem, derOfPem, parseSpiffeId } from '@tulle/spiffe';
import { grpcService } from '@tulle/xds-proto/grpc';
import {
  SpiffeWorkloadAPI,
  type X509BundlesRequest,
  type X509BundlesResponse,
  X509BundlesResponseSchema,
  type X509SVIDRequest,
  type X509SVIDResponse,
  X509SVIDResponseSchema,
} from './gen/spiffe/workload/workload_pb.ts';
import type { AgentMetrics } from './metrics.ts';

/** What the service works with. */
export interface WorkloadApiOptions {
  readonly current: () => IdentitySnapshot;
  readonly metrics: AgentMetrics;
  /** Streams at once; past it clients get RESOURCE_EXHAUSTED. */
  readonly maxStreams: number;
}

/** The running service. */
export interface WorkloadApi {
  /** {@link WorkloadApiOptions.current} changed. */
  changed(): void;
  readonly streams: number;
  close(): void;
}

/** Without it a request may come from a browser that was lured here (SPIFFE Workload API §4.1). */
const SECURITY_HEADER = 'workload.spiffe.io';

/**
 * Adds the X.509 part of the SPIFFE Workload API. Tokens (JWT SVIDs) are UNIMPLEMENTED: nobody in the mesh asks for them.
 */
export function addWorkloadApi(server: Server, options: WorkloadApiOptions): WorkloadApi {
  const { metrics } = options;
  const streams = new Set<{ send(): void; end(): void }>();

  function serve<Request, Response>(
    call: ServerWritableStream<Request, Response>,
    answer: () => Response,
  ): void {
    if (call.metadata.get(SECURITY_HEADER)[0] !== 'true') {
      metrics.refused.add();
      call.emit('error', {
        code: status.INVALID_ARGUMENT,
        details: `the metadata ${SECURITY_HEADER}: true is missing (SPIFFE Workload API, section 4.1)`,
      });
      return;
    }
    if (streams.size >= options.maxStreams) {
      metrics.refused.add();
      call.emit('error', {
        code: status.RESOURCE_EXHAUSTED,
        details: `this agent serves ${options.maxStreams} streams already (maxStreams)`,
      });
      return;
    }
    // A slow reader gets the newest when it reads again, not a queue of old ones.
    let [stale, blocked] = [false, false];
    const one = {
      send(): void {
        stale = blocked;
        if (blocked) return;
        metrics.workloadAnswers.add();
        blocked = !call.write(answer());
      },
      end(): void {
        call.emit('error', { code: status.UNAVAILABLE, details: 'this agent is shutting down' });
      },
    };
    call.on('drain', () => {
      blocked = false;
      if (stale) one.send();
    });
    streams.add(one);
    for (const event of ['cancelled', 'close', 'error'] as const) call.on(event, () => streams.delete(one));
    one.send();
  }

  const { fetchX509SVID, fetchX509Bundles } = grpcService(SpiffeWorkloadAPI);
  server.addService(
    { fetchX509SVID, fetchX509Bundles },
    {
      fetchX509SVID: (call: ServerWritableStream<X509SVIDRequest, X509SVIDResponse>) =>
        serve(call, () => svidResponse(options.current())),
      fetchX509Bundles: (call: ServerWritableStream<X509BundlesRequest, X509BundlesResponse>) =>
        serve(call, () =>
          create(X509BundlesResponseSchema, { bundles: bundlesByDomain(options.current().bundles) }),
        ),
    },
  );
  return {
    changed() {
      for (const one of streams) one.send();
    },
    get streams() {
      return streams.size;
    },
    close() {
      for (const one of [...streams]) one.end();
    },
  };
}

function svidResponse({ svid, bundles }: IdentitySnapshot): X509SVIDResponse {
  const { trustDomain } = parseSpiffeId(svid.spiffeId);
  const own = bundles.filter((bundle) => bundle.trustDomain === trustDomain);
  const key = derOfPem('PRIVATE KEY', svid.privateKeyPem);
  if (key === undefined)
    throw new TypeError('the identity has a key that is no PEM of a PRIVATE KEY (PKCS #8)');
  return create(X509SVIDResponseSchema, {
    svids: [
      {
        spiffeId: svid.spiffeId,
        x509Svid: Buffer.concat(certificatesOfPem(svid.certificateChainPem)),
        x509SvidKey: key,
        bundle: Buffer.concat(own.map(derOfBundle)),
      },
    ],
    federatedBundles: bundlesByDomain(bundles.filter((bundle) => bundle.trustDomain !== trustDomain)),
  });
}

const derOfBundle = ({ rootsPem }: TrustBundle): Buffer => Buffer.concat(rootsPem.flatMap(certificatesOfPem));

function bundlesByDomain(bundles: readonly TrustBundle[]): Record<string, Buffer> {
  return Object.fromEntries(bundles.map((bundle) => [`spiffe://${bundle.trustDomain}`, derOfBundle(bundle)]));
}
