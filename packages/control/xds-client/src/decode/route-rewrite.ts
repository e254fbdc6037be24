import { isMessage } from '@bufbuild/protobuf';
import type { RedirectAction as ModelRedirect, RegexRewrite, Rewrite } from '@tulle/model';
import type { TypedExtensionConfig } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import type { RedirectAction, RouteAction } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { UriTemplateRewriteConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite';
import type { RegexMatchAndSubstitute } from '@tulle/xds-proto/envoy/type/matcher/v3/regex';
import { WHOLE_PATH } from '../wire.ts';
import type { DecodeContext } from './context.ts';
import { decodeRegexRewrite } from './regex-rewrite.ts';
import { present } from './values.ts';

/** What is changed of a request's target; at most one of the fields that rewrite paths. @param path of the action */
export function decodeRewrite(
  context: DecodeContext,
  action: RouteAction,
  path: string,
): Rewrite | undefined {
  const specifier = action.hostRewriteSpecifier;
  const given = [
    action.prefixRewrite !== '' && 'prefix_rewrite',
    action.regexRewrite && 'regex_rewrite',
    action.pathRewritePolicy && 'path_rewrite_policy',
    action.pathRewrite !== '' && 'path_rewrite',
  ].filter((one) => typeof one === 'string');
  if (given.length > 1)
    context.refuse(`${path}.${given[1] ?? ''}`, `must not stand beside ${given[0] ?? ''}`);
  const rewrite: Rewrite = present({
    host: specifier.case === 'hostRewriteLiteral' ? specifier.value : undefined,
    hostFrom: decodeHostFrom(specifier),
    forwardHost: action.appendXForwardedHost ? true : undefined,
    path: action.regexRewrite
      ? decodeRegexPath(action.regexRewrite)
      : action.pathRewritePolicy
        ? decodeTemplate(context, action.pathRewritePolicy, `${path}.path_rewrite_policy`)
        : action.pathRewrite !== ''
          ? { kind: 'format' as const, value: action.pathRewrite }
          : action.prefixRewrite === ''
            ? undefined
            : { kind: 'prefix' as const, value: action.prefixRewrite },
  });
  return Object.keys(rewrite).length === 0 ? undefined : rewrite;
}

function decodeHostFrom(specifier: RouteAction['hostRewriteSpecifier']): Rewrite['hostFrom'] {
  if (specifier.case === 'hostRewriteHeader') return { kind: 'header', name: specifier.value.toLowerCase() };
  if (specifier.case === 'autoHostRewrite') return specifier.value.value ? { kind: 'endpoint' } : undefined;
  if (specifier.case === 'hostRewrite')
    return specifier.value === '' ? undefined : { kind: 'format', value: specifier.value };
  return specifier.case === 'hostRewritePathRegex' ? decodeRegexRewrite(specifier.value) : undefined;
}

/** A pattern that takes the whole path and keeps none of it says what a full rewrite says. */
function decodeRegexPath(
  rule: RegexMatchAndSubstitute,
): { readonly kind: 'full'; readonly value: string } | RegexRewrite {
  const pieces = rule.substitution.split('\\\\');
  return rule.pattern?.regex === WHOLE_PATH && !pieces.some((piece) => piece.includes('\\'))
    ? { kind: 'full', value: pieces.join('\\') }
    : decodeRegexRewrite(rule);
}

function decodeTemplate(
  context: DecodeContext,
  policy: TypedExtensionConfig,
  path: string,
): Rewrite['path'] | undefined {
  const message = context.open(policy.typedConfig, `${path}.typed_config`);
  if (message === undefined) return undefined;
  if (isMessage(message, UriTemplateRewriteConfigSchema))
    return { kind: 'template', value: message.pathTemplateRewrite };
  context.refuse(`${path}.typed_config`, `${message.$typeName} is no policy that rewrites paths`);
  return undefined;
}

/** Where a redirect leads, as far as its path goes. */
export function decodeTarget({ pathRewriteSpecifier: target }: RedirectAction): ModelRedirect['path'] {
  switch (target.case) {
    case 'pathRedirect':
      return { kind: 'full', value: target.value };
    case 'prefixRewrite':
      return { kind: 'prefix', value: target.value };
    case 'regexRewrite':
      return decodeRegexRewrite(target.value);
    case 'pathRewrite':
      return target.value === '' ? undefined : { kind: 'format', value: target.value };
    case undefined:
      return undefined;
  }
}
