import type { StringMatch } from '../route.ts';
import { authzExpressionDefs, type AuthzExpression } from './authz-expression.ts';
import { stringMatchSchema } from '../schema/string-match.ts';
import type { JsonSchema } from './json-schema.ts';

export { stringMatchSchema };

/**
 * Configuration of `tulle.http.authz` (decision D20). With no ALLOW policy everything that authenticated may pass;
 * with one or more, what none allows is denied; DENY always wins. Rules in a policy are OR, fields in a rule AND,
 * values in a field OR.
 */
export interface AuthzFilterConfig {
  readonly policies: readonly AuthzPolicy[];
  /** What happens where no ALLOW policy exists. Default `allow`; `deny` for the strict profile. */
  readonly defaultAction?: 'allow' | 'deny';
  /**
   * Tell later filters what the policies in shadow mode alone would have decided, under `envoy.filters.http.rbac` in
   * `<this>shadow_effective_policy_id` and `<this>shadow_engine_result` (Envoy `shadow_rules_stat_prefix`). Absent: no.
   */
  readonly shadowMetadata?: string;
  /**
   * In place of policies that allow (Envoy `RBAC.matcher`): the first that holds decides, and where none does, who asks is denied. Policies that
   * deny come before.
   */
  readonly firstMatch?: readonly AuthzDecider[];
  /** The same, watched only (Envoy `RBAC.shadow_matcher`). */
  readonly shadowFirstMatch?: readonly AuthzDecider[];
}

/** One decision of a matcher (`envoy.config.rbac.v3.Action`). */
export interface AuthzDecider {
  /** Shown in details and metrics; several may have the same. */
  readonly name: string;
  /** `LOG` lets pass, and is counted and noted. */
  readonly action: 'ALLOW' | 'DENY' | 'LOG';
  readonly expression: AuthzExpression;
}

/** One policy. */
export interface AuthzPolicy {
  /** `namespace/name`, shown in details and metrics. */
  readonly name: string;
  /** `LOG` decides nothing: what it matches is counted and noted (Envoy `RBAC.Action`). */
  readonly action: 'ALLOW' | 'DENY' | 'LOG';
  /** Decide, count and note it, but let everything pass. Default false. */
  readonly shadow?: boolean;
  /** No rule: the policy matches nothing (an ALLOW without rules denies all). */
  readonly rules: readonly AuthzRule[];
}

/** All given fields must hold. An empty rule matches every request. */
export interface AuthzRule {
  readonly from?: AuthzSource;
  readonly to?: AuthzTarget;
  /** Conditions on the verified bearer token, all of which one token must fulfil. Needs a filter that verifies tokens. */
  readonly when?: readonly AuthzCondition[];
  /** A condition in Envoy's words, for policies that come from elsewhere. */
  readonly expression?: AuthzExpression;
}

/**
 * A condition on a verified token, in Istio's words (`security.istio.io` `Condition`). With `values` one of them must
 * match, with `notValues` none; each is exact, a prefix ending in `*`, a suffix beginning with `*`, or `*` for any value.
 * A list matches when one of its elements does; the words of `scope` and `scp` (RFC 9068) are its elements. Who showed no
 * token fulfils nothing that allows, and every `notValues` that denies.
 */
export interface AuthzCondition {
  /**
   * `request.auth.principal` (`issuer/subject`), `request.auth.audiences`, `request.auth.presenter` (`azp`), or
   * `request.auth.claims[name]`, within objects `request.auth.claims[outer][inner]`.
   */
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
}

/** Who calls. */
export interface AuthzSource {
  /** SPIFFE ids: exact, or a prefix ending in `*`. Only proven ones count. `*`: any proven identity. */
  readonly identities?: readonly string[];
  readonly notIdentities?: readonly string[];
  /** Namespaces of the proven identity. */
  readonly namespaces?: readonly string[];
  /** Peer networks, CIDR. */
  readonly cidrs?: readonly string[];
  readonly notCidrs?: readonly string[];
}

/** What is called. */
export interface AuthzTarget {
  readonly methods?: readonly string[];
  readonly notMethods?: readonly string[];
  /** Exact, prefix ending in `*`, or suffix beginning with `*`. Compared with the normalised path. */
  readonly paths?: readonly string[];
  readonly notPaths?: readonly string[];
  /** Hosts, exact or `*.suffix`; lower case, without port matches any port. */
  readonly hosts?: readonly string[];
  readonly notHosts?: readonly string[];
  /** Ports that the connection was made to. In an AuthorizationPolicy those of the program, whichever its proxy listens at. */
  readonly ports?: readonly number[];
  /** Header conditions, all of which must hold; every line of a repeated header is judged. */
  readonly headers?: readonly {
    readonly name: string;
    readonly match: StringMatch;
    readonly invert?: boolean;
  }[];
}

/** Id of the authorization filter. */
export const AUTHZ_FILTER = 'tulle.http.authz';

const strings = (description: string): JsonSchema => ({
  type: 'array',
  minItems: 1,
  items: { type: 'string', minLength: 1 },
  description,
});

const conditionSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['key'],
  minProperties: 2,
  properties: {
    key: {
      type: 'string',
      pattern: '^request\\.auth\\.(principal|audiences|presenter|claims(\\[[^\\[\\]]+\\])+)$',
      description:
        'request.auth.principal, request.auth.audiences, request.auth.presenter or request.auth.claims[name].',
    },
    values: strings('Values of which one must match: exact, prefix*, *suffix, or * for any.'),
    notValues: strings('Values of which none may match.'),
  },
};

/** JSON Schema of an {@link AuthzRule}. */
export const authzRuleSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    from: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      description: 'Who calls; all given fields must hold.',
      properties: {
        identities: strings('SPIFFE ids, exact or a prefix ending in *.'),
        notIdentities: strings('SPIFFE ids that do not match.'),
        namespaces: strings("Namespaces of the caller's identity."),
        cidrs: strings('Peer networks, e.g. 10.0.0.0/8.'),
        notCidrs: strings('Peer networks that do not match.'),
      },
    },
    to: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      description: 'What is called; all given fields must hold.',
      properties: {
        methods: strings('Methods, e.g. GET.'),
        notMethods: strings('Methods that do not match.'),
        paths: strings('Paths: exact, prefix ending in *, or suffix beginning with *.'),
        notPaths: strings('Paths that do not match.'),
        hosts: strings('Hosts, exact or *.suffix.'),
        notHosts: strings('Hosts that do not match.'),
        ports: {
          type: 'array',
          minItems: 1,
          items: { type: 'integer', minimum: 1, maximum: 65_535 },
          description:
            'Ports that the connection was made to; in an AuthorizationPolicy those of the program, whichever its proxy listens at.',
        },
        headers: {
          type: 'array',
          minItems: 1,
          description: 'Conditions on headers, all of which must hold.',
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['name', 'match'],
            properties: {
              name: { type: 'string', minLength: 1 },
              match: stringMatchSchema,
              invert: { type: 'boolean', default: false },
            },
          },
        },
      },
    },
    when: {
      type: 'array',
      minItems: 1,
      description: 'Conditions on the verified bearer token, all of which one token must fulfil.',
      items: conditionSchema,
    },
  },
};

/** Operators write `from`, `to` and `when`; an expression comes over xDS. */
const ruleWithExpression: JsonSchema = {
  ...authzRuleSchema,
  properties: {
    ...(authzRuleSchema['properties'] as Readonly<Record<string, JsonSchema>>),
    expression: {
      $ref: '#/$defs/expression',
      description: "A condition in the words of Envoy's RBAC, for policies that come from elsewhere.",
    },
  },
};

const decidersSchema = (description: string): JsonSchema => ({
  type: 'array',
  description,
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'action', 'expression'],
    properties: {
      name: { type: 'string', minLength: 1, description: 'Shown in metrics and details.' },
      action: { enum: ['ALLOW', 'DENY', 'LOG'] },
      expression: { $ref: '#/$defs/expression' },
    },
  },
});
const matcherProperties: Readonly<Record<string, JsonSchema>> = {
  firstMatch: decidersSchema(
    'In place of policies that allow: the first that holds decides; where none does, denied.',
  ),
  shadowFirstMatch: decidersSchema('The same, watched only.'),
};

/** JSON Schema of {@link AuthzFilterConfig}. */
export const authzFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['policies'],
  properties: {
    ...matcherProperties,
    defaultAction: {
      enum: ['allow', 'deny'],
      default: 'allow',
      description: 'What happens where no ALLOW policy exists.',
    },
    shadowMetadata: {
      type: 'string',
      description:
        'Start of the names under which later filters know what the policies in shadow mode alone decide.',
    },
    policies: {
      type: 'array',
      description: 'DENY wins; with an ALLOW policy, what none allows is denied.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'action', 'rules'],
        properties: {
          name: { type: 'string', minLength: 1, description: 'namespace/name' },
          action: { enum: ['ALLOW', 'DENY', 'LOG'] },
          shadow: {
            type: 'boolean',
            default: false,
            description: 'Decide and count, but let everything pass.',
          },
          rules: { type: 'array', items: ruleWithExpression },
        },
      },
    },
  },
  $defs: authzExpressionDefs,
};

/**
 * Configuration of `tulle.conn.authz`: who may connect, by what a connection shows (Envoy's network RBAC). Judged after the
 * TLS handshake, before a byte is passed on; the rules between actions are those of {@link AuthzFilterConfig}.
 */
export interface ConnAuthzFilterConfig {
  readonly policies: readonly ConnAuthzPolicy[];
  /** What happens where no ALLOW policy exists. Default `allow`. */
  readonly defaultAction?: 'allow' | 'deny';
  /** As {@link AuthzFilterConfig.firstMatch}, of what connections have. */
  readonly firstMatch?: readonly AuthzDecider[];
  /** The same, watched only. */
  readonly shadowFirstMatch?: readonly AuthzDecider[];
}

/** One policy over connections. */
export interface ConnAuthzPolicy {
  readonly name: string;
  readonly action: 'ALLOW' | 'DENY' | 'LOG';
  /** Decide and count it, but let everything pass. Default false. */
  readonly shadow?: boolean;
  /** Without what only requests have: path, header, metadata. */
  readonly expression: AuthzExpression;
}

/** Id of the authorization filter for connections. */
export const CONN_AUTHZ_FILTER = 'tulle.conn.authz';

/** JSON Schema of {@link ConnAuthzFilterConfig}. */
export const connAuthzFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['policies'],
  properties: {
    ...matcherProperties,
    defaultAction: {
      enum: ['allow', 'deny'],
      default: 'allow',
      description: 'What happens where no ALLOW policy exists.',
    },
    policies: {
      type: 'array',
      description: 'DENY wins; with an ALLOW policy, what none allows is denied.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'action', 'expression'],
        properties: {
          name: { type: 'string', minLength: 1, description: 'Shown in metrics and details.' },
          action: { enum: ['ALLOW', 'DENY', 'LOG'] },
          shadow: { type: 'boolean', default: false, description: 'Decide and count, but let it pass.' },
          expression: { $ref: '#/$defs/expression' },
        },
      },
    },
  },
  $defs: authzExpressionDefs,
};
