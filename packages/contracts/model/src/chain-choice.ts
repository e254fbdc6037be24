import type { StringMatch } from './route.ts';

/**
 * Which filter chain takes a connection (Envoy `Listener.filter_chain_matcher`). Something is chosen, or nothing is: a connection for
 * which a part chooses nothing is held against the part that comes next.
 *
 * - `chain`: the one with this name.
 * - `list`: what stands behind the first condition that holds and chooses something.
 * - `exact`, `prefix`: what stands under the value of an input; under the longest of those that it begins with, then shorter ones.
 * - `networks`: what stands behind the narrowest network that has the address, then wider ones, but for those with `narrowestAlone`.
 *
 * `otherwise` is what is chosen where none of its part does. Default: nothing.
 */
export type ChainChoice =
  | { readonly kind: 'chain'; readonly name: string }
  | {
      readonly kind: 'list';
      readonly of: readonly { readonly when: ChainCondition; readonly choose: ChainChoice }[];
      readonly otherwise?: ChainChoice;
    }
  | {
      readonly kind: 'exact' | 'prefix';
      readonly input: ChainInput;
      readonly values: Readonly<Record<string, ChainChoice>>;
      readonly otherwise?: ChainChoice;
    }
  | {
      readonly kind: 'networks';
      readonly input: ChainInput;
      readonly of: readonly ChosenNetworks[];
      readonly otherwise?: ChainChoice;
    };

/** What stands behind some networks. */
export interface ChosenNetworks {
  /** CIDR. */
  readonly cidrs: readonly string[];
  readonly choose: ChainChoice;
  /** Only for addresses of which no narrower network has chosen nothing (Envoy `exclusive`). Default false. */
  readonly narrowestAlone?: boolean;
}

/** What a choice depends on. What is not there fulfils no condition. */
export type ChainCondition =
  | { readonly kind: 'input'; readonly input: ChainInput; readonly match: StringMatch }
  | { readonly kind: 'all' | 'any'; readonly of: readonly ChainCondition[] }
  | { readonly kind: 'not'; readonly of: ChainCondition };

/**
 * Something of a connection, as a text; what is not there is none. Addresses and ports of connections within the process are there
 * where who made them says so. `source-type`: `local` for connections of this machine, else not there. `transport-protocol`: `tls` or
 * `raw_buffer`. `application-protocols`: those offered by ALPN, or seen in the first bytes, as Envoy writes them: `'h2','http/1.1'`.
 * `filterState`: what the connection brought along under a key, or listener filters put down.
 */
export type ChainInput =
  | 'destination-ip'
  | 'destination-port'
  | 'source-ip'
  | 'source-port'
  | 'direct-source-ip'
  | 'source-type'
  | 'server-name'
  | 'transport-protocol'
  | 'application-protocols'
  | { readonly filterState: string };
