import { hasCel, loadCelEngine } from '@tulle/cel';
import {
  addMetadata,
  CONTINUE,
  defineHttpFilter,
  DYNAMIC_METADATA,
  VERIFIED_TOKENS,
  type FilterHost,
  type HostCounter,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type Verdict,
} from '@tulle/filter';
import { loadedRegexEngine, loadRegexEngine } from '@tulle/match';
import { AUTHZ_FILTER, authzFilterSchema, type AuthzFilterConfig } from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import {
  compileAuthz,
  decidedBy,
  isAllowed,
  NO_POLICY,
  usesRegex,
  usesTokens,
  type CompiledAuthz,
  type Decision,
} from './policies.ts';

/** Decision notes (decision D10); their value is the policy's place in the configuration in force, -1 for none. */
export const NOTE_ALLOWED = 1;
export const NOTE_DENIED = 2;
/** Allowed, and would be denied with the policies in shadow mode enforced. */
export const NOTE_SHADOW_DENIED = 3;
/** Denied, and would be allowed with the policies in shadow mode enforced. */
export const NOTE_SHADOW_ALLOWED = 4;

/** Matched by a policy that decides nothing. */
export const NOTE_LOGGED = 5;

/** Counters of one configuration, by policy. */
interface Counts {
  readonly allowed: HostCounter;
  readonly denied: (policy: number) => HostCounter;
  readonly shadowDenied: (policy: number) => HostCounter;
  readonly shadowAllowed: (policy: number) => HostCounter;
  readonly logged: (policy: number) => HostCounter;
}

interface Compiled extends CompiledAuthz {
  readonly counts: Counts;
}

/**
 * Authorization by identity, network, method, path, host, port, header and token claim (decision D20). Denied requests get 403
 * `TULLE_AUTHZ_DENIED` with the policy in the details. What cannot be decided is denied.
 */
export const authz: HttpFilter<AuthzFilterConfig, AuthzFilterConfig> = defineHttpFilter<
  AuthzFilterConfig,
  AuthzFilterConfig
>({
  apiVersion: 1,
  id: AUTHZ_FILTER,
  summary:
    'Allows or denies by proven identity, network, method, path, host, port, header and token claim; shadow mode.',
  config: jsonSchema<AuthzFilterConfig>(authzFilterSchema),
  routeConfig: jsonSchema<AuthzFilterConfig>(authzFilterSchema),
  /** A route's policies replace the chain's, as Envoy's RBACPerRoute does. */
  mergeRoute(_base, override) {
    // Wrong networks, identities, paths and patterns are refused when the configuration is.
    compileAuthz(override, loadedRegexEngine());
    return override;
  },
  // What cannot be decided is denied.
  failOpen: 'forbidden',
  applies: (config) =>
    config.policies.length > 0 ||
    config.defaultAction === 'deny' ||
    config.firstMatch !== undefined ||
    config.shadowFirstMatch !== undefined,
  phase: 'authz',
  // Whoever may not ask is refused whether there is something or not.
  unrouted: true,
  requiresFor: (config) => (usesTokens(config) ? [VERIFIED_TOKENS] : []),
  effects: 'none',
  provides: [DYNAMIC_METADATA],
  notes: {
    [NOTE_ALLOWED]: 'allowed by policy',
    [NOTE_DENIED]: 'denied by policy',
    [NOTE_SHADOW_DENIED]: 'shadow denied by policy',
    [NOTE_SHADOW_ALLOWED]: 'shadow allowed by policy',
    [NOTE_LOGGED]: 'matched by policy that logs',
  },
  create: createAuthz,
});

async function createAuthz(
  host: FilterHost,
  config: AuthzFilterConfig,
): Promise<HttpHooks<AuthzFilterConfig>> {
  if (usesRegex(config)) await loadRegexEngine();
  if (hasCel(config)) await loadCelEngine();
  const compiledOf = perConfig((inForce: AuthzFilterConfig) =>
    withCounts(host, compileAuthz(inForce, loadedRegexEngine())),
  );
  compiledOf(config);
  return {
    requestHeaders(stream, inForce) {
      const compiled = compiledOf(inForce);
      if (inForce.shadowMetadata !== undefined) tellShadow(stream, compiled, inForce.shadowMetadata);
      return judge(stream, compiled);
    },
  };
}

/** Namespace in which conditions written for Envoy look for decisions. */
const METADATA = 'envoy.filters.http.rbac';

function tellShadow(stream: HttpStream, compiled: Compiled, start: string): void {
  const decision = compiled.decideShadow(stream);
  const policy = decidedBy(decision);
  addMetadata(stream, METADATA, {
    [`${start}shadow_engine_result`]: isAllowed(decision) ? 'allowed' : 'denied',
    ...(policy === NO_POLICY ? {} : { [`${start}shadow_effective_policy_id`]: nameOf(compiled, policy) }),
  });
}

function judge(stream: HttpStream, compiled: Compiled): Verdict {
  const decision = compiled.decide(stream, false);
  if (compiled.hasShadow) noteShadow(stream, compiled, decision);
  for (const one of compiled.logging) {
    if (!one.matches(stream)) continue;
    compiled.counts.logged(one.index).add();
    stream.note(NOTE_LOGGED, one.index);
  }
  const policy = decidedBy(decision);
  if (compiled.logs(decision)) {
    compiled.counts.logged(policy).add();
    stream.note(NOTE_LOGGED, policy);
  }
  if (isAllowed(decision)) {
    compiled.counts.allowed.add();
    stream.note(NOTE_ALLOWED, policy);
    return CONTINUE;
  }
  compiled.counts.denied(policy).add();
  stream.note(NOTE_DENIED, policy);
  return stream.reply(
    403,
    'TULLE_AUTHZ_DENIED',
    undefined,
    undefined,
    `rbac_access_denied_matched_policy[${printable(nameOf(compiled, policy))}]`,
  );
}

function noteShadow(stream: HttpStream, compiled: Compiled, decision: Decision): void {
  const imagined = compiled.decide(stream, true);
  if (isAllowed(imagined) === isAllowed(decision)) return;
  const policy = decidedBy(imagined);
  if (isAllowed(imagined)) {
    compiled.counts.shadowAllowed(policy).add();
    stream.note(NOTE_SHADOW_ALLOWED, policy);
  } else {
    compiled.counts.shadowDenied(policy).add();
    stream.note(NOTE_SHADOW_DENIED, policy);
  }
}

/** `none` where no policy decided, as Envoy prints it. */
function nameOf(compiled: CompiledAuthz, policy: number): string {
  return policy === NO_POLICY ? 'none' : (compiled.policies[policy]?.name ?? 'none');
}

/** As in Envoy's details, what could break a log's fields becomes an underscore. */
function printable(name: string): string {
  return name.replace(/[^\w./-]/g, '_');
}

function withCounts(host: FilterHost, compiled: CompiledAuthz): Compiled {
  return { ...compiled, counts: countsOf(host, compiled) };
}

function countsOf(host: FilterHost, compiled: CompiledAuthz): Counts {
  const byPolicy = (name: string, help: string): ((policy: number) => HostCounter) => {
    const counters = [NO_POLICY, ...compiled.policies.keys()].map((policy) =>
      host.counter(name, help, { policy: nameOf(compiled, policy) }),
    );
    return (policy) => counters[policy + 1] as HostCounter;
  };
  return {
    allowed: host.counter('authz_allowed_total', 'Requests that authorization let pass'),
    denied: byPolicy('authz_denied_total', 'Requests that authorization denied'),
    shadowDenied: byPolicy(
      'authz_shadow_denied_total',
      'Requests that would be denied with the policies in shadow mode enforced',
    ),
    logged: byPolicy('authz_logged_total', 'Requests that a policy matched which decides nothing'),
    shadowAllowed: byPolicy(
      'authz_shadow_allowed_total',
      'Requests that would be allowed with the policies in shadow mode enforced',
    ),
  };
}
