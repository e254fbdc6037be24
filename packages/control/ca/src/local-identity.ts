import type { IdentitySnapshot, IdentitySource } from '@tulle/model';
import { controlPlaneId } from '@tulle/spiffe';
import { systemClock, type Clock } from '@tulle/time';
import type { Ca } from './ca.ts';
import { createIdentityKeeper, type KeeperEvent } from './identity-keeper.ts';

export interface LocalIdentityOptions {
  /** Default the control plane's own id. */
  readonly spiffeId?: string;
  /** The clock that the CA has; default the machine's. */
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly onEvent?: (event: KeeperEvent) => void;
}

export interface LocalIdentity extends IdentitySource {
  /** When the certificate in use was obtained; undefined before the first. */
  readonly obtainedAtMs: number | undefined;
  /** End of the certificate in use; undefined before the first. */
  readonly expiresAtMs: number | undefined;
  /** Resolves once the first certificate is there. */
  ready(): Promise<IdentitySnapshot>;
  close(): void;
}

/** The identity of the process that runs the CA, kept alive like any other, without a network. */
export function localIdentity(ca: Ca, options: LocalIdentityOptions = {}): LocalIdentity {
  const spiffeId = options.spiffeId ?? controlPlaneId(ca.trustDomain);
  const keeper = createIdentityKeeper({
    spiffeId,
    clock: options.clock ?? systemClock(),
    obtain: (csrDer) => ca.issueLocal(spiffeId, csrDer),
    ...(options.random === undefined ? {} : { random: options.random }),
    ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
  });
  const unsubscribe = ca.subscribe(({ bundles, leafEpoch }) => {
    keeper.adoptBundles(bundles);
    keeper.epochSeen(leafEpoch, 0);
  });
  return {
    current: () => keeper.current(),
    subscribe: (listener) => keeper.subscribe(listener),
    ready: () => keeper.ready(),
    get obtainedAtMs() {
      return keeper.held?.obtainedAtMs;
    },
    get expiresAtMs() {
      return keeper.held?.snapshot.svid.notAfterMs;
    },
    close() {
      unsubscribe();
      void keeper.close();
    },
  };
}
