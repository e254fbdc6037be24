import { type DescMessage, isMessage, type Message } from '@bufbuild/protobuf';
import type { AuthzExpression, AuthzInput, StringMatch } from '@tulle/model';
import {
  DestinationIPInputSchema,
  DestinationPortInputSchema,
  DirectSourceIPInputSchema,
  type DynamicMetadataInput,
  DynamicMetadataInputSchema,
  FilterStateInputSchema,
  ServerNameInputSchema,
  SourceIPInputSchema,
  SourcePortInputSchema,
} from '@tulle/xds-proto/envoy/extensions/matching/common_inputs/network/v3/network_inputs';
import { UriSanInputSchema } from '@tulle/xds-proto/envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs';
import { IpSchema } from '@tulle/xds-proto/envoy/extensions/matching/input_matchers/ip/v3/ip';
import { MetadataSchema } from '@tulle/xds-proto/envoy/extensions/matching/input_matchers/metadata/v3/metadata';
import { HttpRequestHeaderMatchInputSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/http_inputs';
import type { TypedExtensionConfig } from '@tulle/xds-proto/xds/core/v3/extension';
import { CelMatcherSchema } from '@tulle/xds-proto/xds/type/matcher/v3/cel';
import { HttpAttributesCelMatchInputSchema } from '@tulle/xds-proto/xds/type/matcher/v3/http_inputs';
import { decodeCidr } from '../address.ts';
import type { DecodeContext } from '../context.ts';
import { decodeCelMatcher } from './condition.ts';
import { decodeValueTest, mayBeSpiffe, METADATA_WRITERS } from './expression.ts';

/** What no condition fulfils; stands where something was refused. */
export const NEVER: AuthzExpression = { not: { any: true } };

/** Inputs that are no more than their type. */
const TEXTS: readonly (readonly [DescMessage, Extract<AuthzInput, string>])[] = [
  [DestinationIPInputSchema, 'destination-ip'],
  [DestinationPortInputSchema, 'destination-port'],
  [SourceIPInputSchema, 'source-ip'],
  [SourcePortInputSchema, 'source-port'],
  [DirectSourceIPInputSchema, 'direct-source-ip'],
  [ServerNameInputSchema, 'server-name'],
];

/** Reads what a matcher of RBAC looks at. */
export class InputReader {
  readonly #context: DecodeContext;
  readonly #ofRequests: boolean;

  /** @param ofRequests whether there are requests to look at */
  constructor(context: DecodeContext, ofRequests: boolean) {
    this.#context = context;
    this.#ofRequests = ofRequests;
  }

  open(input: TypedExtensionConfig | undefined, path: string): Message | undefined {
    return this.#context.open(input?.typedConfig, `${path}.typed_config`);
  }

  /** A text that must fulfil a condition. @param path of the input */
  text(message: Message | undefined, match: StringMatch, path: string): AuthzExpression {
    if (message === undefined) return NEVER;
    const at = `${path}.typed_config`;
    const text = TEXTS.find(([schema]) => isMessage(message, schema));
    if (text) return { input: text[1], match };
    if (isMessage(message, FilterStateInputSchema)) {
      if (message.key === '') this.#context.refuse(`${at}.key`, 'is missing');
      return { filterState: { key: message.key, match } };
    }
    if (isMessage(message, HttpRequestHeaderMatchInputSchema) && this.#ofRequests) {
      const name = message.headerName.toLowerCase();
      if (name === '') this.#context.refuse(`${at}.header_name`, 'is missing');
      return { input: { header: name === 'host' ? ':authority' : name }, match };
    }
    if (isMessage(message, UriSanInputSchema)) {
      // What does not hold of any id would never hold.
      if ((match.kind === 'exact' || match.kind === 'prefix') && !mayBeSpiffe(match))
        this.#context.refuse(
          at,
          'must be held against a SPIFFE id: of other names in certificates this proxy knows nothing here',
        );
      return { identity: match };
    }
    this.#context.refuse(at, `${message.$typeName} is nothing that authorization can look at here`);
    return NEVER;
  }

  /** An address that must be in a network. @param path of the input */
  networks(message: Message | undefined, cidrs: readonly string[], path: string): AuthzExpression {
    if (message === undefined) return NEVER;
    const within = cidrs.map((cidr): AuthzExpression => {
      if (isMessage(message, DestinationIPInputSchema)) return { destination: cidr };
      if (isMessage(message, DirectSourceIPInputSchema)) return { peer: cidr };
      // Of a request, the caller's.
      return this.#ofRequests ? { client: cidr } : { source: cidr };
    });
    const known = [DestinationIPInputSchema, DirectSourceIPInputSchema, SourceIPInputSchema];
    if (!known.some((schema) => isMessage(message, schema)))
      this.#context.refuse(`${path}.typed_config`, `must be an address, not ${message.$typeName}`);
    const [only, ...more] = within;
    return only !== undefined && more.length === 0 ? only : { anyOf: within };
  }

  /** A part that is held against something other than a text. @param path of the part */
  custom(
    input: TypedExtensionConfig | undefined,
    custom: TypedExtensionConfig,
    path: string,
  ): AuthzExpression {
    const message = this.open(input, `${path}.input`);
    const at = `${path}.custom_match.typed_config`;
    const against = this.#context.open(custom.typedConfig, at);
    if (message === undefined || against === undefined) return NEVER;
    if (isMessage(against, IpSchema)) {
      if (against.cidrRanges.length === 0) this.#context.refuse(`${at}.cidr_ranges`, 'is empty');
      return this.networks(message, against.cidrRanges.map(decodeCidr), `${path}.input`);
    }
    if (isMessage(against, CelMatcherSchema)) {
      if (!isMessage(message, HttpAttributesCelMatchInputSchema) || !this.#ofRequests)
        this.#context.refuse(
          `${path}.input.typed_config`,
          `must be an HttpAttributesCelMatchInput, of requests, not ${message.$typeName}`,
        );
      return decodeCelMatcher(this.#context, against, at);
    }
    if (isMessage(against, MetadataSchema)) {
      if (isMessage(message, DynamicMetadataInputSchema) && this.#ofRequests)
        return {
          metadata: {
            ...this.#metadataOf(message, `${path}.input.typed_config`),
            value: decodeValueTest(this.#context, against.value, `${at}.value`),
            ...(against.invert && { invert: true }),
          },
        };
      this.#context.refuse(
        `${path}.input.typed_config`,
        `must be a DynamicMetadataInput, of requests, not ${message.$typeName}`,
      );
      return NEVER;
    }
    this.#context.refuse(at, `must be an Ip, a CelMatcher or a Metadata, not ${against.$typeName}`);
    return NEVER;
  }

  #metadataOf(
    { filter, path: segments }: DynamicMetadataInput,
    path: string,
  ): { readonly namespace: string; readonly path: readonly string[] } {
    const keys = segments.map(({ segment }) => segment.value ?? '');
    if (!METADATA_WRITERS.includes(filter))
      this.#context.refuse(
        `${path}.filter`,
        `must be one of ${METADATA_WRITERS.join(', ')}, since no other filter here writes metadata, but is ${JSON.stringify(filter)}`,
      );
    if (keys.length === 0 || keys.includes('')) this.#context.refuse(`${path}.path`, 'must name keys');
    return { namespace: filter, path: keys };
  }
}
