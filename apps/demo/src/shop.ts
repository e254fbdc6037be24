import { createCa, memoryStore, type Ca } from '@tulle/ca';
import { startCatalog, startFront, startReviews, type Service } from './services.ts';
import { meshCluster, spiffeId, startSidecar, trustDomain, type Sidecar } from './sidecar.ts';
import { tlsRelay, type TlsRelay } from './tls-relay.ts';

/** The whole shop: services, their sidecars, and the CA. */
export interface Shop {
  readonly ca: Ca;
  readonly front: Service;
  readonly catalog: Service;
  readonly reviewsV1: Service;
  readonly reviewsV2: Service;
  readonly frontSidecar: Sidecar;
  readonly catalogSidecar: Sidecar;
  readonly reviewsV1Sidecar: Sidecar;
  readonly reviewsV2Sidecar: Sidecar;
  /** On the wire between front's sidecar and the one of reviews v1. */
  readonly relay: TlsRelay;
  stop(): Promise<void>;
}

/** A text that must never cross the wire in clear. */
export const secret = 'the-secret-of-the-fabric-6f1d9c';

/** Starts everything on free ports. @param say called with what happens */
export async function startShop(say: (text: string) => void): Promise<Shop> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).toReversed()) await end();
  };
  const kept = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const started = await starting;
    stops.push(() => started.stop());
    return started;
  };
  try {
    say("the CA and the mesh's trust");
    const ca = await createCa({ trustDomain, store: memoryStore() });
    stops.push(async () => ca.close());
    say('the catalogue');
    const catalog = await kept(startCatalog());
    const onlyFront = [
      {
        name: 'default/only-front',
        action: 'ALLOW' as const,
        rules: [{ from: { identities: [spiffeId('front')] } }],
      },
    ];
    const readers = [
      {
        name: 'default/readers',
        action: 'ALLOW' as const,
        rules: [
          {
            from: { identities: [spiffeId('front'), spiffeId('reviews')] },
            to: { methods: ['GET', 'HEAD'] },
          },
        ],
      },
    ];
    const catalogSidecar = await kept(
      startSidecar({ ca, service: 'catalog', appPort: catalog.port, policies: readers }),
    );
    const catalogCluster = meshCluster('catalog', 'catalog', [catalogSidecar.port('inbound')], 'v1');
    say('two versions of the reviews');
    // What reviews call leaves through a sidecar as well; it is up before they are.
    const reviewsCalls = await kept(
      startSidecar({
        ca,
        service: 'reviews',
        outbound: [{ service: 'catalog', clusters: [catalogCluster], split: [{ name: 'catalog' }] }],
      }),
    );
    const catalogUrl = `http://127.0.0.1:${reviewsCalls.port('to-catalog')}`;
    const reviewsV1 = await kept(startReviews({ VERSION: 'v1', CATALOG_URL: catalogUrl }));
    const reviewsV2 = await kept(startReviews({ VERSION: 'v2', CATALOG_URL: catalogUrl }));
    const reviewsV1Sidecar = await kept(
      startSidecar({ ca, service: 'reviews', appPort: reviewsV1.port, policies: onlyFront }),
    );
    const reviewsV2Sidecar = await kept(
      startSidecar({ ca, service: 'reviews', appPort: reviewsV2.port, policies: onlyFront }),
    );
    const relay = await tlsRelay([secret]);
    stops.push(() => relay.close());
    relay.target('127.0.0.1', reviewsV1Sidecar.port('inbound'));
    say('the front page');
    const frontSidecar = await kept(
      startSidecar({
        ca,
        service: 'front',
        outbound: [
          { service: 'catalog', clusters: [catalogCluster], split: [{ name: 'catalog' }] },
          {
            service: 'reviews',
            clusters: [
              meshCluster('reviews-v1', 'reviews', [relay.port], 'v1'),
              meshCluster('reviews-v2', 'reviews', [reviewsV2Sidecar.port('inbound')], 'v2'),
            ],
            split: [
              { name: 'reviews-v1', weight: 100 },
              { name: 'reviews-v2', weight: 0 },
            ],
          },
        ],
      }),
    );
    const front = await kept(
      startFront({
        CATALOG_URL: `http://127.0.0.1:${frontSidecar.port('to-catalog')}`,
        REVIEWS_URL: `http://127.0.0.1:${frontSidecar.port('to-reviews')}`,
      }),
    );
    return {
      ca,
      front,
      catalog,
      reviewsV1,
      reviewsV2,
      frontSidecar,
      catalogSidecar,
      reviewsV1Sidecar,
      reviewsV2Sidecar,
      relay,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
