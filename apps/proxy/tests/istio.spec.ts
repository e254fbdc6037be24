import { join } from 'node:path';
import { kernelDestinations } from '@tulle/intercept';
import { expect, it } from 'vitest';
import { dryRun } from '../src/dry-run.ts';
import { loadBootstrap } from '../src/load-bootstrap.ts';
import { startConfig } from '../src/merge-config.ts';

const noKernel = ((): string | undefined => {
  try {
    kernelDestinations();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
})();

it.for(['sidecar', 'gateway'])('what Istio gives a %s is taken whole', async (name, { skip }) => {
  skip(noKernel !== undefined, noKernel);
  const { translation, notes } = loadBootstrap({
    configPath: join(import.meta.dirname, 'istio', `${name}.yaml`),
  });
  expect(translation.issues).toEqual([]);
  expect(await dryRun(startConfig(translation))).toEqual([]);
  // Nothing is left out in silence.
  expect(notes.map((note) => note.split(/[ :]/)[0])).toEqual(
    expect.arrayContaining(['application_log_config', 'layered_runtime', 'stats_config']),
  );
  const { fixed } = translation.discovery ?? {};
  const clusters = [
    ...translation.config.clusters,
    ...(fixed?.clusters ?? []).map(({ resource }) => resource),
  ];
  if (name === 'sidecar')
    expect(clusters.find((one) => one.name.startsWith('outbound|'))).toMatchObject({
      statName: 'outbound|9080||reviews.default.svc.cluster.local;',
      tlsMatches: [{ name: 'tlsMode-istio', labels: { tlsMode: 'istio' } }, { name: 'tlsMode-disabled' }],
    });
});
