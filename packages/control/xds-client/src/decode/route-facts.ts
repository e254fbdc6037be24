import type { RouteMatch as ModelMatch } from '@tulle/model';
import type { RouteMatch } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { decodeMetadataMatch } from './authz/expression.ts';
import type { DecodeContext } from './context.ts';
import { decodeFilterStateMatch } from './filter-state-match.ts';
import { filled, present } from './values.ts';

/** Conditions of a route on what filters have found out or put down. @param path of the match */
export function decodeFacts(
  context: DecodeContext,
  match: RouteMatch | undefined,
  path: string,
): Pick<ModelMatch, 'metadata' | 'filterState'> {
  const { dynamicMetadata = [], filterState = [] } = match ?? {};
  return present({
    metadata: filled(
      dynamicMetadata.map((one, index) =>
        decodeMetadataMatch(context, one, `${path}.dynamic_metadata[${index}]`),
      ),
    ),
    filterState: filled(
      filterState.map((one, index) => decodeFilterStateMatch(context, one, `${path}.filter_state[${index}]`)),
    ),
  });
}
