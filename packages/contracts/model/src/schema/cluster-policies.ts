import { retryFilterSchema } from '../filters/retry.ts';
import type { JsonSchema } from '../filters/json-schema.ts';
import { mirrorsSchema } from './mirror.ts';
import { fields, labels, listOf, whole } from './parts.ts';
import { choiceConditionSchema } from './route-choice.ts';

/** Fields of a cluster that stand in the place of what routes say, for a schema with `routeChoiceDefinitions`. */
export const clusterPolicies: Readonly<Record<string, JsonSchema>> = {
  retry: fields(['policy'], {
    policy: retryFilterSchema,
    avoidOnRetry: listOf(labels),
    newPriorityEvery: whole(0, 2_147_483_647),
  }),
  mirrors: mirrorsSchema,
  failedAnswers: choiceConditionSchema,
};
