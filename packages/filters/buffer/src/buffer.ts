import { CONTINUE, defineHttpFilter, type HttpFilter } from '@tulle/filter';
import { BUFFER_FILTER, bufferFilterSchema, type BufferFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';

/**
 * Collects the whole body of a request before an endpoint is chosen and asked: a caller who sends slowly holds memory of the
 * proxy, bounded, and none of the service's workers. The engine does the collecting; this only asks for it.
 */
export const buffer: HttpFilter<BufferFilterConfig> = defineHttpFilter<BufferFilterConfig>({
  apiVersion: 1,
  id: BUFFER_FILTER,
  summary: 'Collects the bodies of requests before the service is asked.',
  config: jsonSchema<BufferFilterConfig>(bufferFilterSchema),
  routeConfig: jsonSchema<Partial<BufferFilterConfig>>(bufferFilterSchema),
  bodyFor: ({ maxRequestBytes }) => ({ request: { buffer: maxRequestBytes } }),
  phase: 'transform',
  // A body that is too large is refused as such, whatever would become of it.
  unrouted: true,
  effects: 'none',
  create: () => ({ requestData: () => CONTINUE }),
});
