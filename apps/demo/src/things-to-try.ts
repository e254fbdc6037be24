import { join, relative } from 'node:path';
import { styleText } from 'node:util';
import type { Shop } from './shop.ts';
import { demoDirectory } from './tulle.ts';

/** What a person is shown when the shop is up. */
export function thingsToTry(shop: Shop, python: string | undefined): string {
  const repository = join(demoDirectory, '..', '..');
  const changes = join(relative(repository, demoDirectory), 'changes');
  const { front, reviewsV1 } = shop;
  const rows: readonly (readonly [string, string])[] = [
    ['tulle status', 'every proxy, and whether it has what it should have'],
    [
      `tulle apply -f ${changes}/canary-50-50.yaml`,
      'half of the reviews from version 2: reload the shop a few times',
    ],
    [`tulle apply -f ${changes}/delay.yaml`, 'the reviews take 200 ms longer; tulle delete -f … ends it'],
    ['tulle get all', 'what holds in this mesh; it came from apps/demo/mesh'],
    ['tulle config endpoints front', 'whom front may call, where, in which version'],
    [
      `curl http://127.0.0.1:${front.upstreamPort('reviews')}/reviews/1`,
      'what front sees: through its sidecar, over mutual TLS',
    ],
    [
      `curl http://127.0.0.1:${reviewsV1.inboundPort}/reviews/1`,
      'around the sidecar, in plain text: refused',
    ],
    [
      `curl -s -o /dev/null -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' http://127.0.0.1:${front.port}/; sleep 6; curl ${shop.collector.heldUrl}/spans`,
      'a page, and its trace as a collector got it',
    ],
    [
      'tulle run --name me -u reviews=9001 -- curl -i http://127.0.0.1:9001/reviews/1',
      'a program of yours in the mesh: known, and not allowed',
    ],
  ];
  return `
${styleText('bold', 'The shop is open:')} http://127.0.0.1:${front.port}/

  front and reviews (versions 1 and 2) in JavaScript, the catalogue in ${python ?? 'JavaScript (no Python here)'}; none knows of the mesh.

${styleText('bold', 'Things to try')}, in another terminal in ${repository}:

  alias tulle='TULLE_STATE_DIR=${shop.tulle.stateDir} ${join(demoDirectory, 'node_modules/.bin/tulle')}'

${rows.map(([command, what]) => `  ${command}\n      ${styleText('dim', what)}\n`).join('')}
  npm run demo -- --check
      ${styleText('dim', 'plays the scenes, with a figure for every claim')}

Ctrl-C stops everything.
`;
}
