import { create } from '@bufbuild/protobuf';
import type { TrustBundle } from '@tulle/model';
import { certificatesOfPem, toPem } from '@tulle/spiffe';
import { TrustBundleSchema, type TrustBundle as WireBundle } from './gen/tulle/ca/v1/ca_pb.ts';

/** Trust bundles as `tulle.ca.v1` carries them. */
export function bundlesToWire(bundles: readonly TrustBundle[]): WireBundle[] {
  return bundles.map((bundle) =>
    create(TrustBundleSchema, {
      trustDomain: bundle.trustDomain,
      rootsDer: bundle.rootsPem.flatMap(certificatesOfPem),
      generation: BigInt(bundle.generation),
    }),
  );
}

export function bundlesFromWire(bundles: readonly WireBundle[]): TrustBundle[] {
  return bundles.map((bundle) => ({
    trustDomain: bundle.trustDomain,
    rootsPem: bundle.rootsDer.map((der) => toPem('CERTIFICATE', der)),
    generation: Number(bundle.generation),
  }));
}
