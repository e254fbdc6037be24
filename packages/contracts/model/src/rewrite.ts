/** What is changed of the request's target before it is sent on. */
export interface Rewrite {
  /** New `Host`; a backend's own (`WeightedCluster.host`) goes before. */
  readonly host?: string;
  /**
   * Where `Host` is taken from, without `host`: a request field (Envoy `host_rewrite_header`), the path, replaced
   * (Envoy `host_rewrite_path_regex`), the name of the endpoint of each attempt (Envoy `auto_host_rewrite`), or a text with
   * operators as in access logs, after the host of a backend (Envoy `host_rewrite`): an operator without a value is `-`.
   * What comes out is no host: `Host` stays.
   */
  readonly hostFrom?:
    | { readonly kind: 'header'; readonly name: string }
    | { readonly kind: 'endpoint' }
    | FormatRewrite
    | RegexRewrite;
  /** Whether a `Host` that is replaced is added to `x-forwarded-host` (Envoy `append_x_forwarded_host`). Default false. */
  readonly forwardHost?: boolean;
  readonly path?: PathRewrite;
}

/** A text with operators as in access logs, made for each request when its fields have been edited. */
export interface FormatRewrite {
  readonly kind: 'format';
  /** `%%` is a percent sign. */
  readonly value: string;
}

/**
 * `full` replaces the path, `prefix` the matched prefix (element-wise, Gateway API ReplacePrefixMatch), which is the whole
 * path where the route matches no prefix (Envoy `prefix_rewrite`); `regex` what a pattern finds in it; `template` makes it of the variables of the template that it matched (Envoy `UriTemplateRewriteConfig`),
 * e.g. `/files/{id}`; `format` makes path, and query where it has a `?`, of a text with operators (Envoy `path_rewrite`): an
 * operator without a value is nothing, and where nothing comes out the path stays. The query of the request goes behind. What
 * comes out is brought to the canonical spelling, and refused where there is none.
 */
export type PathRewrite =
  | { readonly kind: 'full' | 'prefix' | 'template'; readonly value: string }
  | FormatRewrite
  | RegexRewrite;

/** Every part of a text that a pattern (RE2) finds is replaced; `\1` is what its first group found, `\\` a backslash. */
export interface RegexRewrite {
  readonly kind: 'regex';
  readonly pattern: string;
  readonly substitution: string;
}
