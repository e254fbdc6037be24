import type { Feature } from './gateway-api-feature.ts';
import { FEATURES } from './gateway-api-features.ts';
import { page, table } from './markdown.ts';

const AREAS = [...new Set(FEATURES.map(({ area }) => area))];

/** `docs/reference/gateway-api.md`: each feature of the Gateway API with the test that proves it. */
export function gatewayApiPage(): string {
  const there = FEATURES.filter(({ unsupported }) => unsupported === undefined).length;
  return page(
    'Gateway API',
    'the list in `tooling/reference/src/gateway-api-features.ts`',
    `What Tulle does of the [Gateway API](https://gateway-api.sigs.k8s.io/), release 1.6, feature by feature, and the test that proves it. A name of one word
is that of its \`pkg/features\`; what has none there is said in several. ${there} of ${FEATURES.length} are there. What is not says so in \`status\`; the last table has the words. \`supportedFeatures\` of a GatewayClass names those of a Gateway.`,
    ...AREAS.flatMap((area) => {
      const features = FEATURES.filter((one) => one.area === area && one.unsupported === undefined);
      return [
        `## ${area}`,
        table(
          ['feature', 'level', 'proven by', 'notes'],
          features.map((one) => [one.name, one.level, proofsOf(one), one.note ?? '']),
        ),
      ];
    }),
    '## Not supported',
    table(
      ['feature', 'level', 'what is said', 'proven by'],
      FEATURES.flatMap((one) =>
        one.unsupported === undefined ? [] : [[one.name, one.level, one.unsupported, proofsOf(one)]],
      ),
    ),
  );
}

function proofsOf({ proofs }: Feature): string {
  return proofs.map(({ file, test }) => `[${test.replaceAll('*', '\\*')}](../../${file})`).join('<br>');
}
