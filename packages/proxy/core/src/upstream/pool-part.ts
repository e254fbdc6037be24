import type { PoolOptions } from '@tulle/model';
import { attemptFailed } from '../attempts/attempts.ts';
import type { Along } from '../internal/along.ts';
import type { Socket } from '../ports.ts';
import type { EngineConnection } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import type { EndpointCounts } from './endpoint-counts.ts';

/** Which requests a pool serves; all where nothing is said. */
export interface PoolPart {
  readonly serverName?: string;
  readonly protocol?: NonNullable<PoolOptions['protocol']>;
  readonly caller?: EngineConnection | undefined;
  readonly along?: Along | undefined;
  /** Requests whose content is all that the endpoint gets. */
  readonly forBytes?: boolean;
  readonly onUnused?: () => void;
  readonly counts?: EndpointCounts;
  readonly carrying?: Set<Socket>;
}

/** The attempt fails. @param of what there are too many */
export function tooManyParts(stream: Stream, of: string): undefined {
  attemptFailed(
    stream,
    'TULLE_UPSTREAM_OVERFLOW',
    true,
    `upstream_reset_before_response_started{overflow,${of}}`,
  );
}
