import { clone, create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import {
  HeaderMatcherSchema,
  type RetryPolicy,
  RetryPolicySchema,
  type Route,
  RouteSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { PreviousHostsPredicateSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts';

/** Words of Envoy's for requests that provably were not sent (decision D5): Tulle's `connect-failure` is all of them. */
const UNSENT: readonly string[] = ['connect-failure', 'refused-stream', 'reset-before-request'];

/** Words for which any method is sent again; for the others only what is idempotent (RFC 9110 §9.2.2). */
const ANY_METHOD: ReadonlySet<string> = new Set([
  ...UNSENT,
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

/** What the retry filter of Tulle's chains repeats by default. */
const DEFAULT_ON: readonly string[] = [...UNSENT, 'reset'];
const DEFAULT_RETRIES = 2;

/**
 * A route for a client that is not Tulle's. That repeats whatever a route's policy tells it to, whatever the method; Tulle's
 * engine repeats only what provably was not sent, and what is idempotent. So a route whose policy says more than the first
 * becomes two: one for idempotent requests, and after it the same for the others, with the part that holds for them.
 * @param byDefault whether a route without policy has that of Tulle's chains
 */
export function routesByMethod(route: Route, byDefault: boolean): Route[] {
  if (route.action.case !== 'route') return [route];
  const given = route.action.value.retryPolicy;
  // A policy that does not say how often is there for its time limit alone.
  const policy = given?.numRetries === undefined ? (byDefault ? defaultPolicy(given) : given) : given;
  if (policy === undefined) return [route];
  const words = policy.retryOn.split(',').filter((word) => word !== '');
  const on = [...new Set(words.flatMap((word) => (word === 'connect-failure' ? UNSENT : [word])))];
  const others = on.filter((word) => ANY_METHOD.has(word));
  if (others.length === on.length) return [withPolicy(route, policy, on)];
  const idempotent = withPolicy(route, policy, on);
  idempotent.match?.headers.push(
    create(HeaderMatcherSchema, {
      name: ':method',
      headerMatchSpecifier: {
        case: 'stringMatch',
        value: { matchPattern: { case: 'safeRegex', value: { regex: 'GET|HEAD|OPTIONS|TRACE|PUT|DELETE' } } },
      },
    }),
  );
  return [idempotent, withPolicy(route, policy, others)];
}

function withPolicy(route: Route, policy: RetryPolicy, on: readonly string[]): Route {
  const made = clone(RouteSchema, route);
  if (made.action.case === 'route') {
    made.action.value.retryPolicy = clone(RetryPolicySchema, policy);
    made.action.value.retryPolicy.retryOn = on.join(',');
  }
  return made;
}

/** @param given its time limit for each attempt stays */
function defaultPolicy(given: RetryPolicy | undefined): RetryPolicy {
  return create(RetryPolicySchema, {
    retryOn: DEFAULT_ON.join(','),
    numRetries: DEFAULT_RETRIES,
    ...(given?.perTryTimeout && { perTryTimeout: given.perTryTimeout }),
    ...(given?.perTryIdleTimeout && { perTryIdleTimeout: given.perTryIdleTimeout }),
    retryHostPredicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        configType: {
          case: 'typedConfig',
          value: anyPack(PreviousHostsPredicateSchema, create(PreviousHostsPredicateSchema)),
        },
      },
    ],
    hostSelectionRetryMaxAttempts: 5n,
  });
}
