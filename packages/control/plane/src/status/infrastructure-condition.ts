import type { Gateway } from '@tulle/resources';
import type { Condition } from '../condition.ts';

/** That labels and annotations of `spec.infrastructure` go to nothing; nothing where none are asked for (feature GatewayInfrastructurePropagation). */
export function infrastructurePropagated({ spec }: Gateway): Condition[] {
  const asked = (['labels', 'annotations'] as const).filter(
    (part) => Object.keys(spec.infrastructure?.[part] ?? {}).length > 0,
  );
  if (asked.length === 0) return [];
  return [
    {
      type: 'tulle.dev/InfrastructurePropagated',
      status: 'False',
      reason: 'NothingMade',
      message: `${asked.join(' and ')} of spec.infrastructure go to nothing: nothing is made for a Gateway, its process is started with tulle gateway; the labels of that are those of its Workload`,
    },
  ];
}
