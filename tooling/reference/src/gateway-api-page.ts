import type { Proof } from './gateway-api-feature.ts';
import { FEATURES } from './gateway-api-features.ts';
import { REASONS } from './gateway-api-reasons.ts';
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
    '## Conditions and their reasons',
    `Every reason that release 1.6 has a name for, the test in which it is said, or why nothing is ever said so here. Listeners are those of Gateways and of ListenerSets; policies are
BackendTLSPolicies and XBackendTrafficPolicies. What the Gateway API has no word for is said in conditions of Tulle's own, \`tulle.dev/…\`, and of routes in \`RouteConflict\` and \`RouteKindConflict\`: another route has
what this one asks for.`,
    table(
      ['of', 'condition', 'reason', 'proven by, or why not here'],
      REASONS.map((one) => [one.of, one.condition, one.reason, one.never ?? proofsOf(one)]),
    ),
  );
}

function proofsOf({ proofs }: { readonly proofs: readonly Proof[] }): string {
  return proofs.map(({ file, test }) => `[${test.replaceAll('*', '\\*')}](../../${file})`).join('<br>');
}
