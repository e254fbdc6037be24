import { hasCel, loadCelEngine } from '@tulle/cel';
import {
  CONTINUE,
  defineConnFilter,
  type ConnFilter,
  type ConnHooks,
  type FilterHost,
  type HostCounter,
} from '@tulle/filter';
import { CompileContext, loadRegexEngine, type RegexEngine } from '@tulle/match';
import {
  CONN_AUTHZ_FILTER,
  connAuthzFilterSchema,
  type AuthzExpression,
  type ConnAuthzFilterConfig,
} from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { compileDeciders, type Decider, firstOf } from './deciders.ts';
import {
  compileExpression,
  expressionUsesRegex,
  hasPart,
  type ExpressionTest,
  type JudgedConnection,
} from './expression.ts';
import { decidedBy, isAllowed } from './policies.ts';

interface Policy {
  readonly name: string;
  readonly action: 'ALLOW' | 'DENY' | 'LOG';
  readonly matches: ExpressionTest;
}

/**
 * Authorization of connections by identity, network, port and server name (Envoy's network RBAC). Judged once, after the
 * handshake: nothing of what it looks at changes while a connection lasts. Who is denied is closed before a byte is read.
 */
export const connAuthz: ConnFilter<ConnAuthzFilterConfig> = defineConnFilter<ConnAuthzFilterConfig>({
  apiVersion: 1,
  id: CONN_AUTHZ_FILTER,
  summary: 'Allows or denies connections by proven identity, network, port and server name; shadow mode.',
  config: jsonSchema<ConnAuthzFilterConfig>(connAuthzFilterSchema),
  effects: 'none',
  failOpen: 'forbidden',
  create: createConnAuthz,
});

async function createConnAuthz(
  host: FilterHost,
  config: ConnAuthzFilterConfig,
): Promise<ConnHooks<ConnAuthzFilterConfig>> {
  const regex = expressionsOf(config).some(expressionUsesRegex) ? await loadRegexEngine() : undefined;
  if (hasCel(config)) await loadCelEngine();
  const { inForce, all, matchers } = compile(config, regex);
  const hasShadow = inForce.length < all.length;
  const defaultAllows = config.defaultAction !== 'deny';
  const named = [...new Set([...all, ...(matchers.inForce ?? []), ...(matchers.watched ?? [])].map(nameOf))];
  const count = (name: string, help: string): ((policy: string) => HostCounter) => {
    const counters = new Map(
      ['none', ...named].map((policy) => [policy, host.counter(name, help, { policy })]),
    );
    return (policy) => counters.get(policy) as HostCounter;
  };
  const denied = count('conn_authz_denied_total', 'Connections that authorization denied');
  const shadowDenied = count(
    'conn_authz_shadow_denied_total',
    'Connections that would be denied with the policies in shadow mode enforced',
  );
  const logged = count('conn_authz_logged_total', 'Connections that a policy matched which decides nothing');
  const logging = all.filter(({ action }) => action === 'LOG');

  /** @returns who denies; `undefined` where it may pass */
  const byMatcher = (
    deciders: readonly Decider[],
    connection: JudgedConnection,
    counts: boolean,
  ): string | undefined => {
    const decision = firstOf(deciders, connection, undefined);
    const decider = deciders[decidedBy(decision)];
    if (counts && decider?.log === true) logged(decider.name).add();
    return isAllowed(decision) ? undefined : (decider?.name ?? 'none');
  };
  const byPolicies = (policies: readonly Policy[], connection: JudgedConnection): string | undefined =>
    denierOf(policies, (policy) => policy.matches(connection, undefined), defaultAllows);

  return {
    handshake(connection) {
      for (const { name, matches } of logging) if (matches(connection, undefined)) logged(name).add();
      const denier = matchers.inForce
        ? byMatcher(matchers.inForce, connection, true)
        : byPolicies(inForce, connection);
      if (denier === undefined) {
        const imagined = matchers.watched
          ? byMatcher(matchers.watched, connection, false)
          : hasShadow
            ? byPolicies(all, connection)
            : undefined;
        if (imagined !== undefined) shadowDenied(imagined).add();
      }
      if (denier === undefined) return CONTINUE;
      denied(denier).add();
      return connection.close(
        'TULLE_AUTHZ_DENIED',
        `rbac_access_denied_matched_policy[${printable(denier)}]`,
      );
    },
  };
}

const nameOf = ({ name }: { readonly name: string }): string => name;

function expressionsOf({
  policies,
  firstMatch = [],
  shadowFirstMatch = [],
}: ConnAuthzFilterConfig): readonly AuthzExpression[] {
  return [...policies, ...firstMatch, ...shadowFirstMatch].map(({ expression }) => expression);
}

interface Compiled {
  readonly inForce: readonly Policy[];
  readonly all: readonly Policy[];
  /** In their place; absent: none is. */
  readonly matchers: {
    readonly inForce: readonly Decider[] | undefined;
    readonly watched: readonly Decider[] | undefined;
  };
}

function compile(
  { policies, firstMatch, shadowFirstMatch }: ConnAuthzFilterConfig,
  regex: RegexEngine | undefined,
): Compiled {
  const context = new CompileContext(regex);
  const matcher = (deciders: typeof firstMatch, path: string): readonly Decider[] | undefined => {
    for (const [index, { expression }] of deciders?.entries() ?? [])
      if (hasPart(expression, ofRequests)) context.issue(`${path}/${index}/expression`, OF_REQUESTS);
    return deciders && compileDeciders(deciders, context, path, 0, false);
  };
  const compiled = policies.map(({ name, action, shadow = false, expression }, index) => {
    const path = `/policies/${index}/expression`;
    if (hasPart(expression, ofRequests)) context.issue(path, OF_REQUESTS);
    return {
      name,
      action,
      shadow,
      matches: compileExpression(expression, context, path, { denies: action === 'DENY', ofRequests: false }),
    };
  });
  const matchers = {
    inForce: matcher(firstMatch, '/firstMatch'),
    watched: matcher(shadowFirstMatch, '/shadowFirstMatch'),
  };
  context.finish('authorization of connections');
  return { inForce: compiled.filter(({ shadow }) => !shadow), all: compiled, matchers };
}

const OF_REQUESTS = 'asks for a path or header, which a connection has none of';

function ofRequests(part: AuthzExpression): boolean {
  if ('input' in part) return typeof part.input !== 'string';
  return 'path' in part || 'header' in part;
}

/** @returns the policy that denies, `none` where no ALLOW matches; `undefined` where it may pass */
function denierOf(
  policies: readonly Policy[],
  matches: (policy: Policy) => boolean,
  defaultAllows: boolean,
): string | undefined {
  const denies = policies.find((policy) => policy.action === 'DENY' && matches(policy));
  if (denies) return denies.name;
  const allows = policies.filter(({ action }) => action === 'ALLOW');
  if (allows.length === 0) return defaultAllows ? undefined : 'none';
  return allows.some(matches) ? undefined : 'none';
}

/** What could break a log's fields becomes an underscore. */
function printable(name: string): string {
  return name.replace(/[^\w./-]/g, '_');
}
